using CallOrchestration.Outbound;
using CallOrchestration.Outbound.Tests;
using CallOrchestration.Tests;
using Npgsql;

namespace CallOrchestration.Scheduling.Tests;

public sealed class EndOverdueCallsTests(TestPostgres postgres, TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task A_dialled_call_that_nobody_speaks_of_ends_as_unknown()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();
        (await host.EndOverdue()).ShouldBe(0, "its time is not up");
        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.InProgress);

        await TimeIsUp(id);
        (await host.EndOverdue()).ShouldBe(1);
        (await host.EndOverdue()).ShouldBe(0);

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries).ShouldBe((CallStatus.Completed, CallOutcome.Unknown, 0));
        call.Body["ended_at"].ShouldBeNull("nobody knows");
        call.Events[^1].ShouldBe("gave-up");
        (await acme.Event(("CallSid", sid!), ("Status", "no-answer"))).Applied.ShouldBeFalse();
        (await host.Trigger()).ShouldBe(0, "an unknown end is no reason to dial again");
    }

    [Fact]
    public async Task An_inbound_call_that_never_ends_is_given_up()
    {
        var acme = await host.AddOrganization();
        var id = (await acme.Passthru(("CallSid", "endless"), ("Direction", "incoming"))).Id;

        await TimeIsUp(id);
        await host.EndOverdue();

        (await acme.Read(id)).Outcome.ShouldBe(CallOutcome.Unknown);
        (await acme.Passthru(("CallSid", "endless"), ("CallType", "completed"))).CallStatus.ShouldBe(CallStatus.Completed);
        (await acme.Read(id)).Outcome.ShouldBe(CallOutcome.Unknown, "what has ended stays as it ended");
    }

    [Fact]
    public async Task A_provider_that_does_not_answer_holds_up_the_end_of_no_other_call()
    {
        var answers = new TaskCompletionSource<LookUpResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var dialer = new TestDialer { Record = _ => answers.Task };
        await using var own = new TestHost(postgres, null, dialer) { Clock = new NoAlarms() };
        await own.InitializeAsync();
        var acme = await own.AddOrganization();
        var ids = new List<Guid>();
        for (var call = 0; call < 34; call++) ids.Add((await acme.Passthru(("CallSid", $"silent-{call}"))).Id);
        foreach (var id in ids) await ExotelDialerTests.TimeIsUp(own, id);
        var watchdog = own.Service<EndOverdueCalls>();

        var asking = await watchdog.RunOnce(TestContext.Current.CancellationToken);
        (asking.Asked, asking.Full).ShouldBe((32, true), "so many questions at once, and two calls wait");
        var givenUp = (await acme.Passthru(("CallSid", "given-up"))).Id;
        await using (var connection = await own.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken))
            await connection.ExecuteAsync("update calls set next_action_at = now(), look_ups = 5 where id = @givenUp", new { givenUp });
        var ending = await watchdog.RunOnce(TestContext.Current.CancellationToken);

        (ending.Asked, ending.Ended).ShouldBe((0, 1));
        (await acme.Read(givenUp)).Outcome.ShouldBe(CallOutcome.Unknown);
        var room = watchdog.WaitForRoom(TestContext.Current.CancellationToken);
        room.IsCompleted.ShouldBeFalse();
        answers.SetResult(new LookUpResult.Nothing("nobody knows"));
        await room;
        (await asking.Answered).ShouldBe(32);
        (await watchdog.RunOnce(TestContext.Current.CancellationToken)).Asked.ShouldBe(2);
    }

    [Fact]
    public async Task Two_watchdogs_at_once_end_each_call_once()
    {
        await using var other = await TestHost.Start(postgres, host.ConnectionString);
        var acme = await host.AddOrganization();
        var ids = new List<Guid>();
        for (var call = 0; call < 50; call++) ids.Add((await acme.Passthru(("CallSid", $"overdue-{call}"))).Id);
        foreach (var id in ids) await TimeIsUp(id);

        var ended = await Task.WhenAll(host.EndOverdue(), other.EndOverdue());

        (ended.Sum() + await host.EndOverdue()).ShouldBe(ids.Count);
        foreach (var id in ids) (await acme.Read(id)).Events.Count(happened => happened == "gave-up").ShouldBe(1);
    }

    [Fact]
    public async Task The_loop_ends_a_call_by_itself()
    {
        await using var own = await TestHost.Start(postgres, null, null, ("Scheduler:Enabled", "true"), ("Watchdog:AnswerTimeout", "00:00:01"));
        var acme = await own.AddOrganization();
        await using var connection = new NpgsqlConnection(own.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        // The table itself says when the call has ended: no need to look again and again.
        await connection.ExecuteAsync(
            """
            create function tell_end() returns trigger language plpgsql as 'begin perform pg_notify(''ended'', new.outcome); return null; end';
            create trigger tell_end after update on calls for each row when (new.status = 'COMPLETED') execute function tell_end();
            listen ended
            """);
        var told = new TaskCompletionSource<string>();
        connection.Notification += (_, notification) => told.TrySetResult(notification.Payload);

        await acme.CreateOutbound();
        while (!told.Task.IsCompleted)
            (await connection.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).ShouldBeTrue("the call did not end");

        (await told.Task).ShouldBe(CallOutcome.Unknown);
    }

    private async Task TimeIsUp(Guid id)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("update calls set next_action_at = now() where id = @id", new { id });
    }
}
