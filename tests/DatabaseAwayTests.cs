using System.Net;
using CallOrchestration.Host;

namespace CallOrchestration.Tests;

public sealed class DatabaseAwayTests(TestPostgres postgres)
{
    [Fact]
    public async Task A_server_that_only_reads_is_left_as_soon_as_another_can_be_had()
    {
        await using var host = await TestHost.Start(postgres);
        var acme = await host.AddOrganization();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var database = await connection.QuerySingleAsync<string>("select current_database()");

        // As after a failover: every connection of now reads only, and a new one would write again.
        await connection.ExecuteAsync($"alter database {database} set default_transaction_read_only = on");
        await connection.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        Answer refused;
        do refused = await acme.Get("/api/calls");
        while (refused.Status == HttpStatusCode.ServiceUnavailable);
        await connection.ExecuteAsync($"alter database {database} reset default_transaction_read_only");

        (await acme.Post("/api/calls/outbound", new { from = Acme.Phone, to = Acme.Customer })).ShouldBeProblem(HttpStatusCode.ServiceUnavailable);
        (await acme.Post("/api/calls/outbound", new { from = Acme.Phone, to = Acme.Customer })).Status.ShouldBe(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("fast")]
    [InlineData("immediate")]
    public async Task While_the_database_is_away_everything_says_so_and_after_its_return_everything_works(string stop)
    {
        using var directory = new TestDirectory("away");
        await using var server = await EmbeddedPostgres.Start(directory.Path, new Dictionary<string, string> { ["fsync"] = "off" }, TestContext.Current.CancellationToken);
        var dialer = new TestDialer();
        await using var host = await TestHost.Start(postgres, server.ConnectionString, dialer, ("Scheduler:Enabled", "true"));
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound();
        var later = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(1));
        await dialer.Made(1);
        await host.DialsRecorded();

        await server.StopServer(stop);

        foreach (var answer in (Answer[])
        [
            await acme.Get("/api/calls"),
            await acme.Post("/api/calls/outbound", new { from = Acme.Phone, to = Acme.Customer }),
            await acme.Event(("CallSid", TestDialer.Sid(id, 1)), ("Status", "completed")),
            await acme.Passthru(("CallSid", "while-away")),
        ])
        {
            answer.ShouldBeProblem(HttpStatusCode.ServiceUnavailable);
            answer.Headers.RetryAfter!.Delta!.Value.ShouldBeGreaterThan(TimeSpan.Zero);
        }

        (await acme.Get("/health/ready")).ShouldBeProblem(HttpStatusCode.ServiceUnavailable).Body["detail"]!.ToString().ShouldContain("database");
        (await acme.Get("/health/live")).ShouldBeOk();

        await server.StartServer();

        // Dead connections of the pools answer 503 a few times more; each request finds one, and then there are none left.
        Answer ready;
        do ready = await acme.Get("/health/ready");
        while (ready.Status == HttpStatusCode.ServiceUnavailable);
        ready.ShouldBeOk();
        Answer completed;
        do completed = await acme.Event(("CallSid", TestDialer.Sid(id, 1)), ("Status", "completed"));
        while (completed.Status == HttpStatusCode.ServiceUnavailable);
        completed.ShouldBeOk().Applied.ShouldBeTrue();
        Answer moved;
        do moved = await acme.Patch(later, new { next_action_at = DateTimeOffset.UtcNow });
        while (moved.Status == HttpStatusCode.ServiceUnavailable);
        moved.ShouldBeOk();
        // The scheduler's loop has lived through it.
        await dialer.Made(2);
    }
}
