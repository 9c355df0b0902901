using System.Diagnostics;
using CallOrchestration.Tests;

namespace CallOrchestration.Outbound.Tests;

public sealed class DialCallsTests(TestPostgres postgres, DialCallsTests.BadDays host) : IClassFixture<DialCallsTests.BadDays>
{
    /// <summary>A host whose fake dialler has a bad day for some numbers.</summary>
    public sealed class BadDays(TestPostgres postgres) : TestHost(
        postgres,
        null,
        null,
        ("Dialer:Fake:Refuse", "+919900000403"),
        ("Dialer:Fake:Throttle", "+919900000429"),
        ("Dialer:Fake:RetryAfter", "00:00:30"),
        ("Dialer:Fake:Unreachable", "+919900000000"),
        ("Dialer:Fake:TimeOut", "+919900000408"),
        ("Dialer:Fake:Error", "+919900000500, +919900000502"),
        ("Dialer:Fake:Throw", "+919900000999"),
        // A dial may take half of it.
        ("Watchdog:AnswerTimeout", "00:00:02"));

    [Fact]
    public async Task An_accepted_dial_is_in_progress_under_the_providers_id()
    {
        var acme = await host.AddOrganization();

        var (id, sid) = await acme.Dialled();

        var call = await acme.Read(id);
        call.CallStatus.ShouldBe(CallStatus.InProgress);
        sid.ShouldNotBeNull().Length.ShouldBe(32);
        call.Body["started_at"].ShouldNotBeNull();
        call.Events.ShouldBe(["created", "claimed", "dial-accepted"]);
    }

    [Fact]
    public async Task A_refused_dial_ends_the_call_as_failed()
    {
        var acme = await host.AddOrganization();

        var (id, sid) = await acme.Dialled("+919900000403");

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries, sid).ShouldBe((CallStatus.Completed, CallOutcome.Failed, 0, null));
        call.Events.ShouldBe(["created", "claimed", "dial-refused"]);
    }

    [Theory]
    [InlineData("+919900000429", "dial-throttled", 29, 30)]
    [InlineData("+919900000000", "dial-not-sent", 4, 5)]
    public async Task A_dial_that_was_not_sent_is_due_again_later_without_costing_the_retry(string to, string happened, int least, int most)
    {
        var acme = await host.AddOrganization();

        var (id, sid) = await acme.Dialled(to);

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries, sid).ShouldBe((CallStatus.Pending, null, 0, null));
        call.Body["started_at"].ShouldBeNull();
        call.Events.ShouldBe(["created", "claimed", happened]);
        var wait = (DateTime)call.Body["next_action_at"]! - (DateTime)call.Body["history"]![2]!["at"]!;
        wait.ShouldBeInRange(TimeSpan.FromSeconds(least), TimeSpan.FromSeconds(most));
    }

    [Fact]
    public async Task A_provider_that_stays_out_of_reach_is_asked_less_and_less_often()
    {
        var acme = await host.AddOrganization();
        var (id, _) = await acme.Dialled("+919900000000");
        for (var again = 0; again < 2; again++)
        {
            await acme.Patch(id, new { next_action_at = "2020-01-01T00:00:00Z" });
            await host.Trigger();
        }

        var call = await acme.Read(id);
        var wait = (DateTime)call.Body["next_action_at"]! - (DateTime)call.Body["updated_at"]!;
        wait.ShouldBeInRange(TimeSpan.FromSeconds(19), TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("+919900000408", "timeout")]
    [InlineData("+919900000500", "500: error of the fake dialler")]
    [InlineData("+919900000999", "InvalidOperationException")]
    public async Task A_dial_without_a_clear_answer_is_never_dialled_again_and_ends_by_the_watchdog(string to, string reason)
    {
        var acme = await host.AddOrganization();

        var (id, _) = await acme.Dialled(to);

        var call = await acme.Read(id);
        call.CallStatus.ShouldBe(CallStatus.InProgress);
        call.Events.ShouldBe(["created", "claimed", "dial-unknown"]);
        ((string?)call.Body["history"]![2]!["details"]!["reason"]).ShouldBe(reason);

        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("update calls set next_action_at = now() where id = @id", new { id });
        await host.EndOverdue();
        await host.Trigger();
        call = await acme.Read(id);
        (call.CallStatus, call.Outcome).ShouldBe((CallStatus.Completed, CallOutcome.Unknown));
        call.Events.ShouldBe(["created", "claimed", "dial-unknown", "gave-up"]);
    }

    [Fact]
    public async Task A_dial_without_a_clear_answer_that_rang_after_all_ends_by_the_providers_word()
    {
        var acme = await host.AddOrganization();
        var (id, _) = await acme.Dialled("+919900000502");

        (await acme.Event(("CallSid", "late"), ("Status", "completed"), ("CustomField", id.ToString()))).ShouldBeOk();

        var call = await acme.Read(id);
        (call.Outcome, (string?)call.Body["provider_call_id"]).ShouldBe((CallOutcome.Completed, "late"));
    }

    [Fact]
    public async Task A_host_that_was_frozen_since_its_claim_does_not_dial()
    {
        var dialer = new TestDialer();
        await using var frozen = await TestHost.Start(postgres, null, dialer, ("Scheduler:BatchSize", "1"));
        var acme = await frozen.AddOrganization();
        var id = await acme.CreateOutbound();
        await using var connection = await frozen.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("update calls set status = 'IN_PROGRESS', next_action_at = now() + interval '1 hour' where id = @id", new { id });

        // As if the claim had been made an hour ago, and the process had stood still since.
        await frozen.Service<DialCalls>().Start([new()
        {
            Id = id,
            OrganizationId = acme.Id,
            FromNumber = Acme.Phone,
            ToNumber = Acme.Customer,
            Attempt = 1,
            Claims = 1,
            ClaimedAt = Stopwatch.GetTimestamp() - 3600 * Stopwatch.Frequency,
        }]);

        dialer.Dials.ShouldBeEmpty();
        var call = await acme.Read(id);
        call.CallStatus.ShouldBe(CallStatus.Pending);
        call.Events[^1].ShouldBe("dial-not-sent");
    }

    [Fact]
    public async Task A_host_that_is_frozen_while_it_connects_knows_that_its_dial_may_not_leave_any_more()
    {
        var asked = new List<bool>();
        var clock = new Leap();
        var dialer = new TestDialer
        {
            Answer = request =>
            {
                asked.Add(request.MayLeave());
                clock.By(TimeSpan.FromHours(1));
                asked.Add(request.MayLeave());
                return DialResult.NotSent.TooLate;
            },
        };
        await using var host = new TestHost(postgres, null, dialer) { Clock = clock };
        await host.InitializeAsync();
        var acme = await host.AddOrganization();

        await acme.Dialled();

        asked.ShouldBe([true, false]);
    }

    [Fact]
    public async Task A_host_that_stops_gives_back_what_it_has_not_dialled_and_waits_for_the_dials_that_are_out()
    {
        const int Waiting = 40;
        var dialer = new TestDialer { Holds = true };
        var connectionString = await postgres.CreateDatabase();
        var stopping = await TestHost.Start(postgres, connectionString, dialer, ("Scheduler:BatchSize", "500"));
        var acme = await stopping.AddOrganization();
        for (var call = 0; call < DialCalls.MostAtOnce + Waiting; call++) await acme.CreateOutbound();
        var triggered = await stopping.Service<Scheduling.TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);
        triggered.Claimed.ShouldBe(DialCalls.MostAtOnce + Waiting);
        await dialer.Made(DialCalls.MostAtOnce);

        var stopped = stopping.DisposeAsync();
        foreach (var dial in dialer.Dials) dialer.Release(dial.CallId, dial.Attempt);
        await stopped;

        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        var found = await connection.QueryAsync<(string, string, long)>(
            "select status, history->-1->>'event', count(*) from calls group by 1, 2 order by 1");
        found.ShouldBe([(CallStatus.InProgress, "dial-accepted", DialCalls.MostAtOnce), (CallStatus.Pending, "dial-not-sent", Waiting)]);
        dialer.Dials.Count.ShouldBe(DialCalls.MostAtOnce);
    }

    [Fact]
    public async Task A_record_whose_commit_got_no_answer_is_written_once()
    {
        var dialer = new TestDialer();
        var direct = await postgres.CreateDatabase();
        await using var proxy = new CuttingProxy(direct);
        await using var cut = await TestHost.Start(postgres, proxy.ConnectionString, dialer);
        var acme = await cut.AddOrganization();
        var id = await acme.CreateOutbound();

        proxy.CutAfter("as r (id, claim, attempt, event");
        await cut.Trigger();

        proxy.Cuts.ShouldBe(1);
        (await acme.Read(id)).Events.ShouldBe(["created", "claimed", "dial-accepted"]);
        dialer.Dials.Count.ShouldBe(1);
    }

    [Fact]
    public async Task No_number_and_no_secret_is_logged_on_a_bad_day()
    {
        var acme = await host.AddOrganization();
        foreach (var to in (string[])["+919900000403", "+919900000429", "+919900000500", "+919900000999"]) await acme.Dialled(to);
        await acme.Event(("CallSid", "nobody"), ("Status", "completed"), ("From", Acme.Customer));
        await acme.Passthru(("CallFrom", "09900000403"));

        host.Log.Lines.ShouldNotBeEmpty();
        foreach (var line in host.Log.Lines)
        {
            line.ShouldNotContain("9900000");
            line.ShouldNotContain("8047110000");
            line.ShouldNotContain(acme.ApiKey);
            line.ShouldNotContain(acme.WebhookToken);
        }
    }
}
