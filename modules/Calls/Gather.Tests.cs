using System.Net;
using System.Threading.Channels;
using CallOrchestration.Tests;
using Dapper;
using Npgsql;

namespace CallOrchestration.Calls.Tests;

public sealed class GatherTests(TestHost host) : IClassFixture<TestHost>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_comes_alone_is_served_at_once_and_who_comes_meanwhile_shares_the_next_statement()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true };

        var first = gather.Ask(1, Cancellation);
        await gather.HasBegun();
        var rest = Enumerable.Range(2, Divisions.MostTogether + 7).Select(number => gather.Ask(number, Cancellation)).ToList();
        gather.Release();

        (await first).ShouldBe(100);
        foreach (var (answer, number) in rest.Select((task, index) => (task, index + 2))) (await answer).ShouldBe(100 / number);
        gather.Statements.Select(statement => statement.Split(' ').Length).ShouldBe([1, Divisions.MostTogether, 7]);
    }

    [Fact]
    public async Task Beside_a_statement_that_takes_its_time_go_three_more()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true, Patience = TimeSpan.Zero };
        var asked = new List<Task<int>>();
        foreach (var number in (int[])[1, 2, 4, 5])
        {
            asked.Add(gather.Ask(number, Cancellation));
            await gather.HasBegun();
        }

        asked.AddRange(new[] { 10, 20 }.Select(number => gather.Ask(number, Cancellation)));
        gather.Release();

        (await Task.WhenAll(asked)).ShouldBe([100, 50, 25, 20, 10, 5]);
        gather.Statements.ShouldBe(["1", "2", "4", "5", "10 20"]);
    }

    [Fact]
    public async Task The_next_statement_goes_while_one_commits_and_the_answers_wait_for_the_commit()
    {
        await using var holder = await host.Rows.OpenConnectionAsync(Cancellation);
        await holder.ExecuteAsync(Commits.PrepareSql);
        await holder.ExecuteAsync("select pg_advisory_lock(@HoldsItsCommit)", new { Commits.HoldsItsCommit });
        var gather = new Commits(host.Service<RequestDatabase>()) { Holds = true };
        var first = gather.Ask(1, Cancellation);
        await gather.HasBegun();
        var together = new[] { gather.Ask(Commits.HoldsItsCommit, Cancellation), gather.Ask(2, Cancellation) };
        gather.Release();

        (await first).ShouldBe(1);
        await gather.HasBegun();
        (await gather.Ask(3, Cancellation)).ShouldBe(3);
        together.ShouldAllBe(ask => !ask.IsCompleted);
        (await holder.QueryAsync<int>("select number from committed order by number")).ShouldBe([1, 3]);

        await holder.ExecuteAsync("select pg_advisory_unlock(@HoldsItsCommit)", new { Commits.HoldsItsCommit });
        (await Task.WhenAll(together)).ShouldBe([Commits.HoldsItsCommit, 2]);
        (await holder.QueryAsync<int>("select number from committed order by number")).ShouldBe([1, 2, 3, Commits.HoldsItsCommit]);
    }

    [Fact]
    public async Task One_that_the_database_refuses_fails_alone()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true };
        var before = gather.Ask(1, Cancellation);
        var together = new[] { gather.Ask(4, Cancellation), gather.Ask(0, Cancellation), gather.Ask(5, Cancellation) };
        gather.Release();

        await before;
        (await together[0], await together[2]).ShouldBe((25, 20));
        (await Should.ThrowAsync<PostgresException>(() => together[1])).SqlState.ShouldBe(PostgresErrorCodes.DivisionByZero);
        (await gather.Ask(10, Cancellation)).ShouldBe(10);
    }

    [Fact]
    public async Task What_a_lost_connection_may_have_committed_is_not_asked_again()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true };
        var before = gather.Ask(1, Cancellation);
        var together = new[] { gather.Ask(4, Cancellation), gather.Ask(Divisions.EndsItsConnection, Cancellation), gather.Ask(5, Cancellation) };
        gather.Release();

        await before;
        foreach (var ask in together) (await Should.ThrowAsync<PostgresException>(() => ask)).SqlState.ShouldBe(PostgresErrorCodes.AdminShutdown);
        gather.Statements.ShouldBe(["1", $"4 {Divisions.EndsItsConnection} 5"]);
    }

    [Fact]
    public async Task Beyond_what_can_wait_nothing_is_asked()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true, MostWaiting = 1 };
        var asked = new[] { gather.Ask(1, Cancellation), gather.Ask(2, Cancellation) };

        Should.Throw<OverloadedException>(() => { _ = gather.Ask(5, Cancellation); });

        gather.Release();
        (await Task.WhenAll(asked)).ShouldBe([100, 50]);
        gather.Statements.ShouldNotContain("5");
    }

    [Fact]
    public async Task A_request_beyond_what_can_wait_is_503_with_a_time_to_come_back_and_changes_nothing()
    {
        var acme = await host.AddOrganization();
        var (_, sid) = await acme.Dialled();
        foreach (var (limit, request) in new (Action<int>, Func<Task<Answer>>)[]
        {
            (most => host.Service<Secrets>().MostWaiting = most, () => acme.Get("/api/calls/summary")),
            (most => host.Service<NewCalls>().MostWaiting = most, () => acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer })),
            (most => host.Service<ProviderEvents>().MostWaiting = most, () => acme.Event(("CallSid", sid!), ("Status", "completed"))),
        })
        {
            limit(0);
            var answer = await host.ChangesNothing(request);
            limit(1);

            answer.ShouldBeProblem(HttpStatusCode.ServiceUnavailable);
            answer.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
            ((int)(await request()).Status).ShouldBeInRange(200, 201);
        }
    }

    [Fact]
    public async Task Who_stops_waiting_stops_nothing()
    {
        var gather = new Divisions(host.Service<RequestDatabase>()) { Holds = true };
        using var gone = new CancellationTokenSource();
        var first = gather.Ask(1, gone.Token);

        await gone.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => first);
        gather.Release();
        (await gather.Ask(2, Cancellation)).ShouldBe(50);
        await gather.HasFinished(2);
    }

    [Fact]
    public async Task Of_two_events_of_one_call_the_second_waits_and_so_does_one_whose_row_is_held()
    {
        var acme = await host.AddOrganization();
        var (one, _) = await acme.Dialled();
        var (two, _) = await acme.Dialled();
        await using var holder = await host.Rows.OpenConnectionAsync(Cancellation);
        await using var held = await holder.BeginTransactionAsync(Cancellation);
        await holder.ExecuteAsync("select 1 from calls where id = @two for no key update", new { two });
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);

        var results = await ApplyProviderEvent.Run(
            connection, ApplyProviderEvent.ApplyTogetherSql,
            [(acme.Id, Answered(one)), (acme.Id, Answered(one)), (acme.Id, Answered(two)), (acme.Id, Answered(Guid.NewGuid())), (Guid.NewGuid(), Answered(one))],
            host.Service<CallTimers>());

        results.Select(result => result is null ? "none" : result.Waits ? "waits" : result.Applied!.Applied ? "applied" : "noted")
            .ShouldBe(["applied", "waits", "waits", "none", "none"]);
    }

    private static ProviderEvent Answered(Guid call) => new() { Word = "answered", Kind = ProviderEventKind.Answered, CallId = call, Attempt = 1, Details = "{}" };

    /// <summary>Statements that are held back, if they are, until the test lets go.</summary>
    private abstract class Held : Gather<int, int>
    {
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Channel<int> begun = Channel.CreateUnbounded<int>();

        protected Held(RequestDatabase database, bool commitsApart)
            : base(database, commitsApart) => Patience = Timeout.InfiniteTimeSpan;

        public bool Holds { get; init; }

        public async Task HasBegun() => await begun.Reader.ReadAsync(Cancellation);

        public void Release() => released.SetResult();

        protected async Task Begin(IReadOnlyList<int> asks)
        {
            begun.Writer.TryWrite(asks.Count);
            if (Holds) await released.Task;
        }
    }

    /// <summary>What a hundred divided by a number is.</summary>
    private sealed class Divisions(RequestDatabase database) : Held(database, commitsApart: false)
    {
        public const int EndsItsConnection = -1;

        private readonly List<string> statements = [];
        private readonly Channel<int> finished = Channel.CreateUnbounded<int>();

        public IReadOnlyList<string> Statements
        {
            get
            {
                lock (statements) return [.. statements];
            }
        }

        public async Task HasFinished(int asks)
        {
            for (var number = 0; number < asks; number++) await finished.Reader.ReadAsync(Cancellation);
        }

        protected override async Task<IReadOnlyList<int>> Run(NpgsqlConnection connection, IReadOnlyList<int> asks)
        {
            lock (statements) statements.Add(string.Join(' ', asks));
            await Begin(asks);
            var answers = (await connection.QueryAsync<int>(DivideSql, new { numbers = asks.ToArray(), EndsItsConnection })).AsList();
            foreach (var ask in asks) finished.Writer.TryWrite(ask);
            return answers;
        }

        private const string DivideSql =
            """
            select case when number = @EndsItsConnection then pg_terminate_backend(pg_backend_pid())::integer else 100 / number end
            from unnest(@numbers) with ordinality as asked (number, place)
            order by place
            """;
    }

    /// <summary>Writes each number to a table, where one waits as it commits for whoever holds the lock of its name.</summary>
    private sealed class Commits(RequestDatabase database) : Held(database, commitsApart: true)
    {
        public const int HoldsItsCommit = 1234;

        public const string PrepareSql =
            """
            create table committed (number integer primary key);
            create function wait_to_commit() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(new.number); return null; end';
            create constraint trigger wait_to_commit after insert on committed deferrable initially deferred
                for each row execute function wait_to_commit();
            """;

        protected override async Task<IReadOnlyList<int>> Run(NpgsqlConnection connection, IReadOnlyList<int> asks)
        {
            await Begin(asks);
            await connection.ExecuteAsync("insert into committed (number) select unnest(@numbers)", new { numbers = asks.ToArray() });
            return asks;
        }
    }
}
