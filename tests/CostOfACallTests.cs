using System.Net;
using CallOrchestration.Host;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>
/// What a call's life costs the database, in exact numbers: statements, as <c>pg_stat_statements</c> counts them, and transactions that wrote.
/// The guard of our speed that no machine can blur.
/// </summary>
public sealed class CostOfACallTests : IAsyncLifetime
{
    private readonly TestDirectory directory = new("cost");
    private EmbeddedPostgres server = null!;
    private TestHost host = null!;
    private NpgsqlConnection watcher = null!;
    private Acme acme = null!;

    public async ValueTask InitializeAsync()
    {
        // A server of its own: transactions are numbered across all databases of a server.
        server = await EmbeddedPostgres.Start(directory.Path, new Dictionary<string, string>
        {
            ["fsync"] = "off",
            ["autovacuum"] = "off",
            ["shared_preload_libraries"] = "pg_stat_statements",
        });
        host = await TestHost.Start(null!, server.ConnectionString, new TestDialer(), ("Retry:Delay", "00:00:00"));
        acme = await host.AddOrganization();
        // One connection, never given back to a pool: that would be a statement too.
        watcher = new(server.ConnectionString);
        await watcher.OpenAsync(TestContext.Current.CancellationToken);
        await watcher.ExecuteAsync("create extension pg_stat_statements");
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await watcher.DisposeAsync();
        await server.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_call_that_is_answered_and_completed()
    {
        // create: key, insert. Dial: claim, record. Each callback: token, event.
        var (statements, writes, what) = await Counted(async () =>
        {
            var sid = TestDialer.Sid(await acme.CreateOutbound(), 1);
            (await host.Trigger()).ShouldBe(1);
            (await acme.Event(("CallSid", sid), ("EventType", "answered"), ("Status", "in-progress"))).ShouldBeOk().Applied.ShouldBeTrue();
            (await acme.Event(("CallSid", sid), ("EventType", "terminal"), ("Status", "completed"))).ShouldBeOk().CallStatus.ShouldBe("COMPLETED");
        });

        statements.ShouldBe(8, what);
        writes.ShouldBe(5, what);
    }

    [Fact]
    public async Task A_call_that_nobody_answers_twice()
    {
        var (statements, writes, what) = await Counted(async () =>
        {
            var id = await acme.CreateOutbound();
            foreach (var attempt in (int[])[1, 2])
            {
                (await host.Trigger()).ShouldBe(1);
                (await acme.Event(("CallSid", TestDialer.Sid(id, attempt)), ("EventType", "terminal"), ("Status", "no-answer"))).ShouldBeOk().Applied.ShouldBeTrue();
            }
        });

        statements.ShouldBe(10, what);
        writes.ShouldBe(7, what);
    }

    [Fact]
    public async Task A_call_that_comes_in_and_is_ended()
    {
        // Each request: token, and one statement.
        var (statements, writes, what) = await Counted(async () =>
        {
            (await acme.Passthru(("CallSid", "in-1"), ("CallFrom", Acme.Customer), ("CallTo", Acme.Phone), ("CallType", "incomplete"))).Status.ShouldBe(HttpStatusCode.OK);
            (await acme.Passthru(("CallSid", "in-1"), ("CallFrom", Acme.Customer), ("CallTo", Acme.Phone), ("CallType", "completed"), ("DialCallStatus", "completed"))).Status.ShouldBe(HttpStatusCode.OK);
        });

        statements.ShouldBe(4, what);
        writes.ShouldBe(2, what);
    }

    [Fact]
    public async Task The_guards_functions_are_not_called_where_the_triggers_see_that_all_is_well()
    {
        foreach (var function in (string[])["guard_call_insert", "guard_call_update"])
        {
            await watcher.ExecuteAsync(
                $"create or replace function {function}() returns trigger language plpgsql as $$ begin raise exception '{function} is called'; end $$");
        }

        var sid = TestDialer.Sid(await acme.CreateOutbound(), 1);

        (await host.Trigger()).ShouldBe(1);
        (await acme.Event(("CallSid", sid), ("EventType", "answered"), ("Status", "in-progress"))).ShouldBeOk().Applied.ShouldBeTrue();
        (await acme.Event(("CallSid", sid), ("EventType", "terminal"), ("Status", "completed"))).ShouldBeOk().CallStatus.ShouldBe("COMPLETED");
    }

    [Fact]
    public async Task Nothing_due()
    {
        var (statements, writes, what) = await Counted(async () => (await host.Trigger()).ShouldBe(0));

        statements.ShouldBe(1, what);
        writes.ShouldBe(0, what);
    }

    private async Task<(long Statements, long Writes, string What)> Counted(Func<Task> life)
    {
        // The first time, connections are opened and types are loaded.
        await life();
        await watcher.ExecuteAsync("select pg_stat_statements_reset()");
        var before = await NextTransaction();
        await life();
        var after = await NextTransaction();
        var seen = (await watcher.QueryAsync<(string Query, long Calls)>(StatementsSql)).AsList();
        return (seen.Sum(statement => statement.Calls), after - before, string.Join("\n", seen.Select(statement => $"{statement.Calls} × {statement.Query}")));
    }

    private Task<long> NextTransaction() => watcher.QuerySingleAsync<long>("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint");

    // Not those of the test itself.
    private const string StatementsSql =
        """
        select query, calls
        from pg_stat_statements
        where dbid = (select oid from pg_database where datname = current_database()) and query !~ 'pg_stat_statements|pg_current_snapshot'
        order by query
        """;
}
