using System.Net.Http.Json;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Storm;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>A host's process, struck at its failpoints: what a storm has once found broken stays mended.</summary>
public sealed class FailpointTests(TestPostgres postgres)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("before-record-commit")]
    [InlineData("during-record-commit")]
    [InlineData("after-record-commit")]
    public async Task An_error_out_of_nowhere_while_dials_are_written_down_ends_neither_the_host_nor_the_record(string failpoint)
    {
        var thrown = 0;
        await using var host = await Struck.Start(postgres, name => name != failpoint || ++thrown > 1);

        var ids = new[] { await host.CreateOutbound(), await host.CreateOutbound() };

        foreach (var id in ids) (await host.Until(id, "dial-accepted")).ShouldBe(["created", "claimed", "dial-accepted"]);
        (await host.Until(await host.CreateOutbound(), "dial-accepted")).ShouldBe(["created", "claimed", "dial-accepted"]);
        thrown.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task A_host_asks_at_every_failpoint_that_it_comes_past_and_goes_on()
    {
        var passed = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var host = await Struck.Start(postgres, name =>
        {
            passed.Enqueue(name);
            return true;
        });

        var id = await host.CreateOutbound();
        await host.Until(id, "dial-accepted");
        await host.Event(id, "no-answer");

        (await host.Until(id, "no-answer")).ShouldBe(["created", "claimed", "dial-accepted", "no-answer"]);
        passed.ShouldBe(
            [
                "after-claim", "before-send", "after-response", "before-record-commit", "during-record-commit", "after-record-commit",
                "before-webhook-commit", "retry-decision", "after-webhook-commit",
            ]);
    }

    /// <summary>A host's process with the fake dialler, and the storm's side of its failpoints.</summary>
    private sealed class Struck : IAsyncDisposable
    {
        private readonly TestDirectory directory = new("struck");
        private readonly HttpClient http = new();
        private FailpointServer failpoints = null!;
        private HostProcess process = null!;
        private NpgsqlDataSource rows = null!;
        private NewOrganization organization = null!;

        /// <param name="postgres">Where its database is made.</param>
        /// <param name="goesOn">False has the host throw at this failpoint.</param>
        public static async Task<Struck> Start(TestPostgres postgres, Func<string, bool> goesOn)
        {
            var host = new Struck();
            var connectionString = await postgres.CreateDatabase();
            host.rows = NpgsqlDataSource.Create(connectionString);
            await using (var connection = await host.rows.OpenConnectionAsync(Cancellation))
            {
                host.organization = await Organizations.Add(connection, "Struck", Acme.Phone);
                await connection.ExecuteAsync(SlowRecordSql);
            }

            host.failpoints = await FailpointServer.Start((_, name) => Task.FromResult(goesOn(name)));
            host.process = await HostProcess.Start(
                new(host.directory.Path, HostProcess.FreeUrl(), new Dictionary<string, string>
                {
                    // One connection for the scheduler: to lose it is to lose everything.
                    ["ConnectionStrings__CallOrchestration"] = $"{connectionString};Maximum Pool Size=1",
                    ["DOTNET_ENVIRONMENT"] = "Test",
                    ["Failpoints__Url"] = new Uri(host.failpoints.Address, "1/").AbsoluteUri,
                    ["Retry__Delay"] = "01:00:00",
                })
                { Assembly = Path.Combine(AppContext.BaseDirectory, "CallOrchestration.Host.dll") },
                Cancellation);
            host.http.BaseAddress = host.process.Url;
            host.http.DefaultRequestHeaders.Authorization = new("Bearer", host.organization.ApiKey);
            return host;
        }

        public async Task<Guid> CreateOutbound()
        {
            using var answer = await http.PostAsJsonAsync("api/calls/outbound", new { from = Acme.Phone, to = "+919900000001" }, Cancellation);
            return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Created>(Cancellation))!.Id;
        }

        public async Task Event(Guid id, string word)
        {
            using var answer = await http.PostAsync($"webhooks/provider-event?token={organization.WebhookToken}&call={id}&Status={word}", null, Cancellation);
            answer.EnsureSuccessStatusCode();
        }

        /// <summary>Reads the call until this has happened to it; everything that has.</summary>
        public async Task<IReadOnlyList<string>> Until(Guid id, string happened)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            patience.CancelAfter(TimeSpan.FromMinutes(1));
            while (true)
            {
                process.HasExited.ShouldBeFalse("the host has ended");
                var history = await Events(id, patience.Token);
                if (history.Contains(happened)) return history;
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (process is not null) await process.DisposeAsync();
            await failpoints.DisposeAsync();
            await rows.DisposeAsync();
            http.Dispose();
            directory.Dispose();
        }

        // What strikes while the statement is at the server finds it there.
        private const string SlowRecordSql =
            """
            create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(0.2); return new; end';
            create trigger linger before update on calls for each row when (new.provider_call_id is distinct from old.provider_call_id) execute function linger();
            """;

        private async Task<List<string>> Events(Guid id, CancellationToken cancellation)
        {
            await using var connection = await rows.OpenConnectionAsync(cancellation);
            return (await connection.QueryAsync<string>(new(
                "select entry ->> 'event' from calls, jsonb_array_elements(history) with ordinality as h (entry, number) where id = @id order by number",
                new { id },
                cancellationToken: cancellation))).AsList();
        }

        private sealed record Created(Guid Id);
    }
}
