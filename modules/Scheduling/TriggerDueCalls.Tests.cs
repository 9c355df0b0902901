using CallOrchestration.Tests;
using Npgsql;

namespace CallOrchestration.Scheduling.Tests;

public sealed class TriggerDueCallsTests(TestPostgres postgres)
{
    private const int Calls = 10_000;

    public enum Meanwhile
    {
        Nothing,
        AnOpenTransactionHoldsForeignKeyLocks,
        AWebhookArrivesForEveryCall,
    }

    [Theory]
    [InlineData(Meanwhile.Nothing)]
    [InlineData(Meanwhile.AnOpenTransactionHoldsForeignKeyLocks)]
    [InlineData(Meanwhile.AWebhookArrivesForEveryCall)]
    public async Task Ten_thousand_calls_due_at_once_are_each_dialled_once_by_one_of_three_hosts(Meanwhile meanwhile)
    {
        var dialer = new TestDialer();
        var hosts = new List<TestHost> { await TestHost.Start(postgres, null, dialer, ("Scheduler:BatchSize", "500")) };
        for (var more = 0; more < 2; more++)
            hosts.Add(await TestHost.Start(postgres, hosts[0].ConnectionString, dialer, ("Scheduler:BatchSize", "500")));
        var acme = await hosts[0].AddOrganization();
        await using var connection = await hosts[0].Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(SeedSql, new { organizationId = acme.Id, due = Calls, later = 100 });
        await using var locks = await HoldLocks(hosts[0], meanwhile);
        var webhooks = meanwhile == Meanwhile.AWebhookArrivesForEveryCall ? SendWebhooks(hosts, acme, connection) : Task.CompletedTask;

        var claimed = await Task.WhenAll(hosts.Select(async host =>
        {
            var sum = 0;
            // Far more rounds than it takes: a call that cannot be claimed fails the test instead of holding it for ever.
            for (var round = 0; round < 2000 && dialer.Dials.Count < Calls; round++) sum += await host.Trigger();
            return sum;
        }));
        await webhooks;

        claimed.Sum().ShouldBe(Calls);
        dialer.Dials.Count.ShouldBe(Calls);
        dialer.Dials.Select(dial => dial.CallId).Distinct().Count().ShouldBe(Calls);
        var found = await connection.QuerySingleAsync<(int Once, int Early, int Waiting)>(FoundSql);
        found.ShouldBe((Calls, 0, 100));
        foreach (var host in hosts) await host.DisposeAsync();
    }

    [Fact]
    public async Task A_thousand_calls_due_over_some_seconds_start_on_time_and_none_early()
    {
        const int Delayed = 1000;
        var dialer = new TestDialer();
        await using var first = await TestHost.Start(postgres, null, dialer, ("Scheduler:Enabled", "true"));
        await using var second = await TestHost.Start(postgres, first.ConnectionString, dialer, ("Scheduler:Enabled", "true"));
        var acme = await first.AddOrganization();
        await using var connection = await first.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(SeedDelayedSql, new { organizationId = acme.Id, count = Delayed });

        await dialer.Made(Delayed);

        dialer.Dials.Select(dial => dial.CallId).Distinct().Count().ShouldBe(Delayed);
        var late = (await connection.QueryAsync<double>(LatenessSql)).Order().ToList();
        late.Count.ShouldBe(Delayed);
        late[0].ShouldBeGreaterThanOrEqualTo(0, "none early");
        Console.WriteLine($"Lateness of {Delayed} delayed calls on two hosts: p50 {late[Delayed / 2]:F1} ms, p99 {late[Delayed * 99 / 100]:F1} ms, latest {late[^1]:F1} ms");
    }

    [Fact]
    public async Task In_a_backlog_every_other_batch_is_shared_by_all_organizations()
    {
        var clock = new Leap();
        await using var host = await HostWith(clock, ("Scheduler:BatchSize", "20"));
        var mountain = await host.AddOrganization();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(SeedSql, new { organizationId = mountain.Id, due = 100, later = 1 });
        for (var other = 0; other < 4; other++) await connection.ExecuteAsync(SeedSql, new { organizationId = (await host.AddOrganization()).Id, due = 5, later = 1 });

        (await host.Trigger()).ShouldBe(20);
        (await Dialled(connection)).ShouldBe([20], "while it keeps up, the first come first");
        clock.By(TimeSpan.FromSeconds(1));
        (await host.Trigger()).ShouldBe(20);
        (await Dialled(connection)).ShouldBe([24, 4, 4, 4, 4]);
        (await host.Trigger()).ShouldBe(20);
        (await Dialled(connection)).ShouldBe([44, 4, 4, 4, 4]);
        (await host.Trigger()).ShouldBe(8);
        (await Dialled(connection)).ShouldBe([48, 5, 5, 5, 5]);
        while (await host.Trigger() > 0)
        {
        }

        (await Dialled(connection)).ShouldBe([100, 5, 5, 5, 5], "what is due later is not dialled");
    }

    [Fact]
    public async Task Where_there_are_more_organizations_than_places_in_a_batch_the_turn_goes_round()
    {
        var clock = new Leap();
        await using var host = await HostWith(clock, ("Scheduler:BatchSize", "2"));
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        for (var one = 0; one < 5; one++) await connection.ExecuteAsync(SeedSql, new { organizationId = (await host.AddOrganization()).Id, due = 10, later = 0 });

        (await host.Trigger()).ShouldBe(2);
        clock.By(TimeSpan.FromSeconds(1));
        for (var batch = 0; batch < 6; batch++) (await host.Trigger()).ShouldBe(2);

        (await Dialled(connection)).ShouldAllBe(calls => calls >= 1);
        (await Dialled(connection)).Count.ShouldBe(5);
    }

    [Fact]
    public async Task An_organization_whose_calls_are_all_of_the_future_takes_no_share_of_a_batch()
    {
        var clock = new Leap();
        await using var host = await HostWith(clock, ("Scheduler:BatchSize", "20"));
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(SeedSql, new { organizationId = (await host.AddOrganization()).Id, due = 60, later = 0 });
        for (var other = 0; other < 4; other++) await connection.ExecuteAsync(SeedSql, new { organizationId = (await host.AddOrganization()).Id, due = 0, later = 5 });

        (await host.Trigger()).ShouldBe(20);
        clock.By(TimeSpan.FromSeconds(1));

        (await host.Trigger()).ShouldBe(20);
    }

    [Fact]
    public async Task In_a_backlog_a_claim_begins_after_the_one_before_it_and_looks_back_now_and_then()
    {
        var clock = new Leap();
        await using var host = await HostWith(clock, ("Scheduler:BatchSize", "10"), ("Scheduler:Interval", "00:01:00"));
        var acme = await host.AddOrganization();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(SeedSql, new { organizationId = acme.Id, due = 45, later = 0 });

        (await host.Trigger()).ShouldBe(10);
        var earlier = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(-1));
        (await host.Trigger()).ShouldBe(10);
        (await acme.Read(earlier)).CallStatus.ShouldBe(CallStatus.Pending, "no claim walks over what was claimed before");

        clock.By(TimeSpan.FromMinutes(2));
        (await host.Trigger()).ShouldBe(10, "the claim in turn");
        (await host.Trigger()).ShouldBe(10);
        (await acme.Read(earlier)).CallStatus.ShouldBe(CallStatus.InProgress);

        // At the end of the backlog from the first again.
        while (await host.Trigger() > 0)
        {
        }

        earlier = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(-1));
        (await host.Trigger()).ShouldBe(1);
    }

    [Fact]
    public async Task While_it_keeps_up_a_claim_begins_with_what_became_due_lately_or_what_this_host_has_made_due_and_looks_back_now_and_then()
    {
        var clock = new Leap();
        await using var host = await HostWith(clock, ("Scheduler:Interval", "00:01:00"));
        var acme = await host.AddOrganization();
        var trigger = host.Service<TriggerDueCalls>();
        var made = DateTimeOffset.UtcNow.AddHours(-1);

        (await Claimed()).ShouldBe(0);
        await trigger.NextDue(TestContext.Current.CancellationToken);
        await acme.CreateOutbound();
        (await Claimed()).ShouldBe(1);
        await acme.CreateOutbound(at: made);
        (await trigger.NextDue(TestContext.Current.CancellationToken)).DueAt.ShouldBeNull();
        (await Claimed()).ShouldBe(0, "as if another host had made it due");
        (await Claimed(made.UtcDateTime)).ShouldBe(1);
        await acme.CreateOutbound(at: made);
        clock.By(TimeSpan.FromMinutes(2));
        (await Claimed()).ShouldBe(1);

        async Task<int> Claimed(DateTime? madeDue = null) => (await trigger.RunOnce(madeDue, TestContext.Current.CancellationToken)).Claimed;
    }

    private async Task<TestHost> HostWith(Leap clock, params (string Key, string Value)[] settings)
    {
        var host = new TestHost(postgres, null, new TestDialer(), settings) { Clock = clock };
        await host.InitializeAsync();
        return host;
    }

    public static TheoryData<string, string[]> Planned => new()
    {
        { TriggerDueCalls.ClaimSql, ["calls_due on calls", "Tid Scan"] },
        { TriggerDueCalls.ClaimInTurnSql, ["Tid Scan"] },
        { TriggerDueCalls.NextDueSql, ["calls_due on calls"] },
        { EndOverdueCalls.AskSql, ["calls_overdue on calls", "Tid Scan"] },
        { EndOverdueCalls.EndSql, ["calls_overdue on calls", "Tid Scan"] },
    };

    [Theory]
    [MemberData(nameof(Planned))]
    public async Task What_the_scheduler_asks_all_the_time_is_planned_once_in_the_order_of_the_index_and_row_by_row(string sql, string[] by)
    {
        await using var host = await TestHost.Start(postgres, null, new TestDialer());
        var acme = await host.AddOrganization();
        await using var connection = await host.Service<SchedulerDatabase>().OpenConnection(TestContext.Current.CancellationToken);
        var (statement, arguments) = Prepared(sql);
        await AsItShould();
        // In the order of their ids, as the product's are: what makes it look cheap to read them all.
        await connection.ExecuteAsync(SeedSql, new { organizationId = acme.Id, due = 30_000, later = 0 });
        await connection.ExecuteAsync(
            "update calls set next_action_at = now() - random() * interval '1 hour'; cluster calls using calls_pkey; analyze calls");
        await AsItShould();
        // Far more under way than the statistics know: any index of them looks cheap to read.
        await connection.ExecuteAsync("update calls set status = 'IN_PROGRESS', next_action_at = now() + interval '2 minutes'");
        await AsItShould();
        await connection.ExecuteAsync("analyze calls");
        await AsItShould();

        async Task AsItShould()
        {
            await connection.ExecuteAsync($"prepare asked as {statement}");
            var plan = string.Join('\n', await connection.QueryAsync<string>($"explain (costs off) execute asked ({arguments})"));
            foreach (var way in by) plan.ShouldContain(way);
            plan.ShouldNotContain("Hash");
            plan.ShouldNotContain("Merge");
            plan.Replace("Sort Key: turns.id", "", StringComparison.Ordinal).ShouldNotContain("Sort Key");
            var planned = await connection.QuerySingleAsync<(long Once, long Anew)>("select generic_plans, custom_plans from pg_prepared_statements where name = 'asked'");
            planned.ShouldBe((1, 0));
            await connection.ExecuteAsync("deallocate asked");
        }
    }

    private static (string Statement, string Arguments) Prepared(string sql)
    {
        var values = new Dictionary<string, string>
        {
            ["@limit"] = "200", ["@wait"] = "interval '2 minutes'", ["@claimId"] = $"uuid '{Guid.NewGuid()}'", ["@lastTurn"] = $"uuid '{Guid.Empty}'",
            ["@fromDueAt"] = "timestamptz '-infinity'", ["@fromId"] = $"uuid '{Guid.Empty}'", ["@most"] = "2", ["@asked"] = "2",
        };
        var used = values.Keys.Where(name => sql.Contains(name, StringComparison.Ordinal)).ToList();
        for (var at = 0; at < used.Count; at++) sql = sql.Replace(used[at], $"${at + 1}", StringComparison.Ordinal);
        return (sql, string.Join(", ", used.Select(name => values[name])));
    }

    // Of each organization that had any, the most first.
    private static async Task<IReadOnlyList<int>> Dialled(NpgsqlConnection connection) =>
        (await connection.QueryAsync<int>(
            "select count(*)::integer from calls where status = 'IN_PROGRESS' group by organization_id order by 1 desc")).AsList();

    [Fact]
    public async Task A_call_that_this_host_makes_due_wakes_its_sleeping_scheduler()
    {
        var dialer = new TestDialer { Patience = TimeSpan.FromSeconds(30) };
        await using var host = await TestHost.Start(postgres, null, dialer, ("Scheduler:Enabled", "true"), ("Scheduler:Interval", "00:01:00"), ("Retry:Delay", "00:00:00"));
        var acme = await host.AddOrganization();

        // Each would wait for the interval, a minute, without the nudge: the new call, the moved call, the retry.
        var id = await acme.CreateOutbound();
        await dialer.Made(1);
        var moved = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(1));
        await acme.Patch(moved, new { next_action_at = DateTimeOffset.UtcNow });
        await dialer.Made(2);
        while (!(await acme.Event(("CallSid", TestDialer.Sid(id, 1)), ("CustomField", id.ToString()), ("Status", "no-answer"))).Applied)
        {
            // Until the dial is out, the event is of no attempt.
        }

        await dialer.Made(3);

        dialer.Dials.Select(dial => (dial.CallId, dial.Attempt)).ShouldBe([(id, 1), (moved, 1), (id, 2)], ignoreOrder: true);
    }

    [Fact]
    public async Task A_host_with_the_scheduler_off_claims_nothing_but_dials_what_its_own_api_starts()
    {
        var dialer = new TestDialer();
        await using var host = await TestHost.Start(postgres, null, dialer);
        var acme = await host.AddOrganization();
        var due = await acme.CreateOutbound();
        var started = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddHours(1));

        (await acme.Patch(started, new { status = CallStatus.InProgress })).ShouldBeOk();
        await host.DialsRecorded();

        dialer.Dials.Select(dial => dial.CallId).ShouldBe([started]);
        (await acme.Read(due)).CallStatus.ShouldBe(CallStatus.Pending);
    }

    [Fact]
    public async Task A_claim_whose_commit_got_no_answer_is_given_back_and_dialled_once()
    {
        var dialer = new TestDialer();
        var direct = await postgres.CreateDatabase();
        await using var proxy = new CuttingProxy(direct);
        await using var host = await TestHost.Start(postgres, proxy.ConnectionString, dialer);
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound();

        proxy.CutAfter("for no key update skip locked");
        await Should.ThrowAsync<NpgsqlException>(host.Trigger);
        proxy.Cuts.ShouldBe(1);
        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.InProgress, "the claim was committed, though its host never learnt of it");
        dialer.Dials.ShouldBeEmpty();
        // Twice: the claim is looked for as long as the server could still commit it, and what is dialled meanwhile stays dialled.
        await host.Trigger();
        await host.Trigger();

        dialer.Dials.Count.ShouldBe(1);
        var call = await acme.Read(id);
        call.CallStatus.ShouldBe(CallStatus.InProgress);
        call.Events.ShouldBe(["created", "claimed", "dial-not-sent", "claimed", "dial-accepted"]);
    }

    [Fact]
    public async Task A_claim_that_fails_at_its_commit_dials_nothing()
    {
        var dialer = new TestDialer();
        await using var host = await TestHost.Start(postgres, null, dialer);
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not at this commit'; end $$;
            create constraint trigger refuse_to_commit after update on calls deferrable initially deferred for each row execute function refuse();
            """);

        await Should.ThrowAsync<PostgresException>(host.Trigger);
        dialer.Dials.ShouldBeEmpty();
        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.Pending);

        await connection.ExecuteAsync("drop trigger refuse_to_commit on calls");
        (await host.Trigger()).ShouldBe(1);
        dialer.Dials.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_killed_backend_costs_one_round_and_no_call()
    {
        var dialer = new TestDialer();
        await using var host = await TestHost.Start(postgres, null, dialer, ("Scheduler:Enabled", "true"));
        var acme = await host.AddOrganization();
        await acme.CreateOutbound();
        await dialer.Made(1);

        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(host.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        var killed = await connection.QuerySingleAsync<int>(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        killed.ShouldBeGreaterThan(0);
        await connection.ExecuteAsync(SeedSql, new { organizationId = acme.Id, due = 20, later = 0 });

        await dialer.Made(21);
        dialer.Dials.Select(dial => dial.CallId).Distinct().Count().ShouldBe(21);
    }

    private static async Task<IAsyncDisposable> HoldLocks(TestHost host, Meanwhile meanwhile)
    {
        var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        if (meanwhile != Meanwhile.AnOpenTransactionHoldsForeignKeyLocks) return connection;
        // The lock that a row of another table with a foreign key to the call would take; held until the connection is disposed of.
        await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("select id from calls for key share");
        return connection;
    }

    private static async Task SendWebhooks(List<TestHost> hosts, Acme acme, NpgsqlConnection connection)
    {
        var ids = (await connection.QueryAsync<Guid>("select id from calls where next_action_at <= now()")).AsList();
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (id, _) =>
        {
            var through = acme.Through(hosts[Random.Shared.Next(hosts.Count)]);
            (await through.Event(("CallSid", TestDialer.Sid(id, 1)), ("CustomField", id.ToString()), ("Status", "ringing"))).ShouldBeOk();
        });
    }

    private const string SeedSql =
        """
        insert into calls (id, organization_id, direction, status, from_number, to_number, next_action_at)
        select gen_random_uuid(), @organizationId, 'OUTBOUND', 'PENDING', '+918047110000', '+919900000001',
            case when number <= @due then now() else now() + interval '1 hour' end
        from generate_series(1, @due + @later) as number
        """;

    private const string FoundSql =
        """
        select
            count(*) filter (where status = 'IN_PROGRESS'
                and jsonb_array_length(jsonb_path_query_array(history, '$[*] ? (@.event == "claimed")')) = 1
                and jsonb_array_length(jsonb_path_query_array(history, '$[*] ? (@.event == "dial-accepted")')) = 1)::integer as once,
            count(*) filter (where started_at < created_at)::integer as early,
            count(*) filter (where status = 'PENDING' and history = '[]')::integer as waiting
        from calls
        """;

    private const string SeedDelayedSql =
        """
        insert into calls (id, organization_id, direction, status, from_number, to_number, next_action_at, metadata)
        select gen_random_uuid(), @organizationId, 'OUTBOUND', 'PENDING', '+918047110000', '+919900000001', due, json_build_object('due', due)
        from (select now() + interval '1 second' + number * interval '3 milliseconds' as due from generate_series(1, @count) as number) as spread
        """;

    private const string LatenessSql =
        """
        select (extract(epoch from started_at - (metadata ->> 'due')::timestamptz) * 1000)::double precision
        from calls
        where started_at is not null
        """;
}
