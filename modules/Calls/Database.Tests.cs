using System.Data;
using System.Diagnostics.Metrics;
using CallOrchestration.Tests;
using Dapper;
using Npgsql;

namespace CallOrchestration.Calls.Tests;

public sealed class DatabaseTests(TestPostgres postgres)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_waits_for_a_connection_waits_for_a_turn_and_not_in_the_driver_whose_clock_runs()
    {
        await using var database = await Pool("turns", connections: 1);
        using var driver = new DriverQueue("turns");
        var first = await database.OpenConnection(Cancellation);

        var second = database.OpenConnection(Cancellation).AsTask();

        second.IsCompleted.ShouldBeFalse();
        driver.Waiting.ShouldBe(0);
        await first.DisposeAsync();
        await using var given = await second;
        (await given.ExecuteScalarAsync<int>("select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task A_turn_is_given_back_by_whatever_ends_a_connection()
    {
        await using var database = await Pool("given-back", connections: 1);

        await using (var broken = await database.OpenConnection(Cancellation))
            await Should.ThrowAsync<PostgresException>(() => broken.ExecuteAsync("select pg_terminate_backend(pg_backend_pid())"));
        await using (await database.OpenConnection(Cancellation)) await ShouldWait(database);

        using (var cancelled = new CancellationTokenSource())
        {
            await cancelled.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(async () => await database.OpenConnection(cancelled.Token));
        }

        // One turn, no fewer and no more.
        await using var one = await database.OpenConnection(Cancellation);
        await ShouldWait(database);
    }

    [Fact]
    public async Task A_connection_that_cannot_be_opened_gives_its_turn_back()
    {
        var nowhere = new NpgsqlConnectionStringBuilder(await postgres.CreateDatabase(migrated: false)) { Database = "nowhere", MaxPoolSize = 1 };
        await using var database = new RequestDatabase(NpgsqlDataSource.Create(nowhere));

        for (var attempt = 0; attempt < 3; attempt++)
            (await Should.ThrowAsync<PostgresException>(async () => await database.OpenConnection(Cancellation))).SqlState.ShouldBe(PostgresErrorCodes.InvalidCatalogName);
    }

    [Theory]
    [InlineData("", 40, 10, 5)]
    [InlineData("Maximum Pool Size=7;Timeout=3", 7, 7, 3)]
    public async Task A_pool_is_as_large_and_waits_as_long_as_the_connection_string_says_or_as_the_host_does(string given, int requests, int scheduler, int timeout)
    {
        await using var forRequests = Database.ForRequests($"Host=nowhere;{given}");
        await using var forScheduler = Database.ForScheduler($"Host=nowhere;{given}");

        (forRequests.Settings.MaxPoolSize, forScheduler.Settings.MaxPoolSize).ShouldBe((requests, scheduler));
        (forRequests.Settings.Timeout, forScheduler.Settings.Timeout).ShouldBe((timeout, timeout));
    }

    [Fact]
    public async Task Long_reads_leave_three_quarters_of_the_connections_to_the_others()
    {
        await using var database = await Pool("long-reads", connections: 4);
        var first = await database.OpenForLongRead(Cancellation);

        var second = database.OpenForLongRead(Cancellation).AsTask();

        second.IsCompleted.ShouldBeFalse();
        for (var other = 0; other < 3; other++) (await database.OpenConnection(Cancellation)).State.ShouldBe(ConnectionState.Open);
        await ShouldWait(database);
        await first.DisposeAsync();
        await using var given = await second;
        (await given.ExecuteScalarAsync<int>("select 1")).ShouldBe(1);
    }

    [Fact]
    public async Task Lists_and_summaries_that_take_long_hold_up_no_webhook()
    {
        await using var host = await TestHost.Start(postgres);
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(1));
        var under = new List<NpgsqlConnection>();
        for (var read = 0; read < 10; read++) under.Add(await host.Service<RequestDatabase>().OpenForLongRead(Cancellation));

        Task<Answer>[] more = [acme.Get("/api/calls"), acme.Get("/api/calls/summary")];
        for (var time = 0; time < 10; time++) (await acme.Event(("CallSid", "s"), ("CustomField", id.ToString()), ("Status", "ringing"))).ShouldBeOk();

        more.ShouldAllBe(read => !read.IsCompleted);
        foreach (var read in under) await read.DisposeAsync();
        foreach (var answer in await Task.WhenAll(more)) answer.ShouldBeOk();
    }

    [Fact]
    public async Task What_requests_ask_is_not_planned_anew_each_time()
    {
        await using var host = await TestHost.Start(postgres, await postgres.CreateDatabase() + ";Maximum Pool Size=1");
        var acme = await host.AddOrganization();

        for (var time = 0; time < 12; time++)
        {
            var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(1));
            (await acme.Read(id)).ShouldBeOk();
            (await acme.Get("/api/calls?status=COMPLETED&outcome=completed")).ShouldBeOk();
            (await acme.Get($"/api/calls?to={Acme.Customer}")).ShouldBeOk();
            (await acme.Get($"/api/calls?from={Acme.Phone}&direction=OUTBOUND")).ShouldBeOk();
            (await acme.Get("/api/calls?due_before=2028-01-01T00:00:00Z")).ShouldBeOk();
            (await acme.Get("/api/calls?created_after=2028-01-01T00:00:00Z")).ShouldBeOk();
            if (time > 0) (await acme.Get($"/api/calls?limit=1&cursor={(await acme.Get("/api/calls?limit=1")).Body["next_cursor"]}")).ShouldBeOk();
            (await acme.Get("/api/calls/summary")).ShouldBeOk();
            (await acme.Event(("CallSid", "s"), ("CustomField", id.ToString()), ("Status", "ringing"))).ShouldBeOk();
        }

        await using var connection = await host.Service<RequestDatabase>().OpenConnection(Cancellation);
        // PostgreSQL plans five times before it judges.
        var statements = (await connection.QueryAsync<(string Statement, long Anew)>(
            "select statement, custom_plans from pg_prepared_statements where not from_sql and custom_plans + generic_plans > 5")).AsList();
        statements.Count.ShouldBeGreaterThanOrEqualTo(10);
        statements.Where(statement => statement.Anew > 5).ShouldBeEmpty();
    }

    private static async Task ShouldWait(RequestDatabase database)
    {
        using var gone = new CancellationTokenSource();
        var waits = database.OpenConnection(gone.Token).AsTask();
        waits.IsCompleted.ShouldBeFalse();
        await gone.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waits);
    }

    private async Task<RequestDatabase> Pool(string name, int connections) => new(new NpgsqlDataSourceBuilder(
        new NpgsqlConnectionStringBuilder(await postgres.CreateDatabase(migrated: false)) { MaxPoolSize = connections }.ConnectionString) { Name = name }.Build());

    /// <summary>How many wait for a connection in the driver's pool of a name, as it counts them itself.</summary>
    private sealed class DriverQueue : IDisposable
    {
        private readonly MeterListener listener = new();
        private int waiting;

        public DriverQueue(string pool)
        {
            listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "db.client.connection.npgsql.pending_requests") listener.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<int>((_, change, tags, _) =>
            {
                foreach (var tag in tags)
                {
                    if (tag.Key == "db.client.connection.pool.name" && (string?)tag.Value == pool) Interlocked.Add(ref waiting, change);
                }
            });
            listener.Start();
        }

        public int Waiting => waiting;

        public void Dispose() => listener.Dispose();
    }
}
