using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Storm;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>Alone on the machine: what strikes by the clock needs hosts that can keep up.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>The storm's process, as people run it: real hosts, a real PostgreSQL, and faults that a seed draws.</summary>
[Collection(nameof(Alone))]
public sealed class StormTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Seeds whose storms are short.
    [Theory]
    [InlineData("--seed", "5")]
    [InlineData("--seed", "6")]
    [InlineData("--seed", "1", "--one-stays-dead")]
    public async Task Every_invariant_holds_and_every_fault_strikes(params string[] options)
    {
        using var directory = new TestDirectory("storm");
        var report = Path.Combine(directory.Path, "report.json");

        var ended = await SimulatorProgram.Run(directory, ["storm", "--calls", "100", "--hosts", "2", .. options, "--report", report]);

        ended.ExitCode.ShouldBe(0, ended.Output + ended.Error);
        var told = JsonNode.Parse(await File.ReadAllTextAsync(report, Cancellation))!;
        var result = told["results"]!.AsArray().ShouldHaveSingleItem()!;
        result["strikes"]!.AsArray().Count.ShouldBeGreaterThanOrEqualTo(20, ended.Output);
        ((int)result["dials"]!).ShouldBeGreaterThan(20);
        result["missed"]!.AsArray().ShouldBeEmpty();
        told["invariants"]!.AsArray().Select(invariant => (int)invariant!["id"]!).ShouldBe(Enumerable.Range(1, 13));
        told["invariants"]!.AsArray().ShouldAllBe(invariant => (int)invariant!["violations"]! == 0);
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }

    [Fact]
    public async Task A_seeded_defect_is_caught()
    {
        using var directory = new TestDirectory("defect");
        var start = new ProcessStartInfo(Path.Combine(Sources.Root, "tests/defects/run"), ["01-dial-before-commit"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TMPDIR"] = directory.Path },
        };
        using var run = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromMinutes(5));
        try
        {
            var output = run.StandardOutput.ReadToEndAsync(limit.Token);
            var error = run.StandardError.ReadToEndAsync(limit.Token);
            await run.WaitForExitAsync(limit.Token);

            run.ExitCode.ShouldBe(0, await output + await error);
            (await output).ShouldMatch("caught by seed [0-9]+ .*row-before-dial");
        }
        finally
        {
            if (!run.HasExited) run.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task An_interrupted_storm_stops_its_hosts_and_its_database()
    {
        using var directory = new TestDirectory("storm-interrupted");
        using var storm = Process.Start(SimulatorProgram.ToStart(directory, "storm", "--seed", "1", "--calls", "100"))!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        try
        {
            while (await storm.StandardOutput.ReadLineAsync(limit.Token) is { } line && !line.Contains('⚡'))
            {
            }

            await SimulatorProgram.Interrupt(storm, limit.Token);
        }
        finally
        {
            if (!storm.HasExited) storm.Kill(entireProcessTree: true);
        }

        storm.ExitCode.ShouldBe(130, await storm.StandardError.ReadToEndAsync(limit.Token));
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }

    [Theory]
    [InlineData("--hosts takes a whole number from 1 to 10, not '0'", "--hosts", "0")]
    [InlineData("--calls takes a whole number", "--calls", "none")]
    [InlineData("--faults 11 are more than the 10 calls", "--calls", "10", "--faults", "11")]
    [InlineData("There is no failpoint 'before-lunch'; there are after-claim,", "--failpoint", "before-lunch")]
    [InlineData("--faults 50 are more than 100 calls bring past in-watchdog", "--failpoint", "in-watchdog", "--faults", "50")]
    [InlineData("--one-stays-dead needs --hosts 2", "--one-stays-dead", "--hosts", "1")]
    [InlineData("--one-stays-dead and --soak", "--one-stays-dead", "--soak")]
    [InlineData("--report takes a file", "--report", "/nowhere/report.json")]
    [InlineData("--host takes the host's DLL", "--host", "/nowhere/host.dll")]
    [InlineData("There is no command or option '--lightning'", "--lightning")]
    public async Task What_is_impossible_is_said_in_a_sentence(string expected, params string[] arguments)
    {
        using var directory = new TestDirectory("storm-impossible");

        var ended = await SimulatorProgram.Run(directory, ["storm", .. arguments]);

        ended.ExitCode.ShouldBe(2, ended.Output + ended.Error);
        ended.Error.ShouldContain(expected);
        ended.Error.ShouldNotContain("   at ");
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }
}

/// <summary>The parts of the storm that everything else in it relies on.</summary>
public sealed class StormPartsTests(TestPostgres postgres)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_same_seed_draws_the_same_plan_and_another_draws_another()
    {
        var options = new StormOptions { Seed = 7 };

        Text(7).ShouldBe(Text(7));
        Text(7).ShouldNotBe(Text(8));

        string Text(int seed)
        {
            var plan = StormPlan.Draw(options, seed);
            return string.Join('\n', [.. plan.Describe(), .. plan.Drawn.Select(call => $"{call} {call.Script}"), .. plan.Faults.Select(fault => $"{fault}"),
                .. plan.Drawn.SelectMany(call => call.CopiesOf(seed, 2, "terminal", 1)).Select(copy => $"{copy}")]);
        }
    }

    [Fact]
    public void A_plan_has_every_kind_of_fault_and_each_failpoint()
    {
        var plan = StormPlan.Draw(new StormOptions { Seed = 1 }, 1);

        plan.Faults.Select(fault => fault.Kind).Distinct().ShouldBe(Enum.GetValues<FaultKind>(), ignoreOrder: true);
        plan.Faults.Select(fault => fault.Failpoint).OfType<string>().Distinct().ShouldBe(PlannedFaults.Failpoints.Keys, ignoreOrder: true);
        plan.Drawn.Select(call => call.Kind).Distinct().ShouldBe(Enum.GetValues<CallKind>(), ignoreOrder: true);
        var provider = plan.ProviderFaults.Select(fault => fault.Fault).ToList();
        foreach (var fate in Enum.GetValues<Fate>().Where(fate => fate != Fate.Plain)) provider.ShouldContain($"callback {PlannedCall.Words(fate)}");
        provider.ShouldContain("details absent");
        provider.ShouldContain("details failing");
        provider.ShouldContain("details stale");
    }

    [Fact]
    public void The_failpoints_of_the_storm_are_those_of_the_host() =>
        typeof(Failpoint).GetFields().Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!)
            .ShouldBe(PlannedFaults.Failpoints.Keys, ignoreOrder: true);

    [Theory]
    [InlineData(false, false, 0)]
    [InlineData(false, true, 1)]
    [InlineData(true, false, 0)]
    [InlineData(true, true, 1)]
    public async Task A_commit_is_cut_exactly_before_or_after_it_took_effect(bool inTransaction, bool after, int rows)
    {
        await using var proxy = new PostgresProxy(await postgres.CreateDatabase(migrated: false));
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(proxy.ConnectionString.ConnectionString) { Pooling = true, MaxAutoPrepare = 10 });
        await using (var connection = await source.OpenConnectionAsync(Cancellation))
        {
            await connection.ExecuteAsync("create table things (name text)");
            // What only reads, locks or is rolled back is no commit.
            var cut = proxy.CutNextCommit(after, TimeSpan.FromMinutes(1));
            await connection.ExecuteAsync("select name from things where name = @name for update", new { name = "it" });
            await using (var undone = await connection.BeginTransactionAsync(Cancellation))
            {
                await connection.ExecuteAsync("insert into things values (@name)", new { name = "undone" });
                await undone.RollbackAsync(Cancellation);
            }

            cut.IsCompleted.ShouldBeFalse();

            await Should.ThrowAsync<NpgsqlException>(async () =>
            {
                await using var transaction = inTransaction ? await connection.BeginTransactionAsync(Cancellation) : null;
                await connection.ExecuteAsync("insert into things values (@name)", new { name = "it" });
                if (transaction is not null) await transaction.CommitAsync(Cancellation);
            });
            (await cut).ShouldBeTrue();
        }

        await using var again = await source.OpenConnectionAsync(Cancellation);
        (await again.ExecuteScalarAsync<int>("select count(*) from things")).ShouldBe(rows);
    }

    [Fact]
    public async Task What_a_host_resets_as_it_accepts_never_had_a_connection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var resets = Task.Run(async () =>
        {
            while (true)
            {
                using var accepted = await listener.AcceptSocketAsync(stop.Token);
                accepted.LingerState = new(true, 0);
            }
        }, Cancellation);
        var database = new PostgresProxy(await postgres.CreateDatabase(migrated: false));
        await using var host = new StormHost(1, new("", new($"http://{listener.LocalEndpoint}"), new Dictionary<string, string>()), database);
        using var http = new HttpClient(new Balancer([host]));

        for (var number = 0; number < 1000; number++) await Should.ThrowAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://hosts.invalid/"), Cancellation));

        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(resets);
    }

    [Fact]
    public async Task All_connections_are_cut_and_a_stall_delays_what_is_sent()
    {
        await using var proxy = new PostgresProxy(await postgres.CreateDatabase(migrated: false));
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(proxy.ConnectionString.ConnectionString) { Pooling = true });
        await using var one = await source.OpenConnectionAsync(Cancellation);
        await using var two = await source.OpenConnectionAsync(Cancellation);
        proxy.Open.ShouldBe(2);

        var stall = proxy.Stall(TimeSpan.FromMilliseconds(200));
        var delayed = one.ExecuteScalarAsync<int>("select 1");
        delayed.IsCompleted.ShouldBeFalse();
        (await delayed).ShouldBe(1);
        stall.IsCompleted.ShouldBeTrue();

        proxy.CutAll().ShouldBe(2);
        await Should.ThrowAsync<NpgsqlException>(() => one.ExecuteAsync("select 1"));
        await Should.ThrowAsync<NpgsqlException>(() => two.ExecuteAsync("select 1"));
    }
}
