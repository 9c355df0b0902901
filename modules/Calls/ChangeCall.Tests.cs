using System.Collections.Concurrent;
using System.Net;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

/// <summary>What a PATCH does to the life of a call.</summary>
public sealed class ChangeCallTests(ChangeCallTests.HostThatCounts host) : IClassFixture<ChangeCallTests.HostThatCounts>
{
    [Fact]
    public async Task PENDING_to_IN_PROGRESS_dials_now_and_once()
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));

        var changed = (await acme.Patch(id, new { status = "IN_PROGRESS" })).ShouldBeOk();

        changed.CallStatus.ShouldBe(CallStatus.InProgress);
        changed.Headers.ETag!.ToString().ShouldBe("\"2\"");
        ((DateTime)changed.Body["next_action_at"]! - (DateTime)changed.Body["started_at"]!).ShouldBe(TimeSpan.FromMinutes(2));
        await host.DialsRecorded();
        await host.Trigger();
        (await acme.Read(id)).Events.ShouldBe(["created", "claimed", "dial-accepted"]);
        host.Dials(id).ShouldBe(1);
    }

    [Fact]
    public async Task Of_two_who_dial_at_once_one_is_told_that_it_is_too_late()
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));

        var answers = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => acme.Patch(id, new { status = "IN_PROGRESS" })));

        answers.Select(answer => answer.Status).ShouldBe([HttpStatusCode.OK, HttpStatusCode.Conflict], ignoreOrder: true);
        await host.DialsRecorded();
        host.Dials(id).ShouldBe(1);
    }

    [Fact]
    public async Task An_inbound_call_becomes_IN_PROGRESS_without_a_dial()
    {
        var acme = await host.AddOrganization();
        var id = (await acme.Post("/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone })).Id;

        var changed = (await acme.Patch(id, new { status = "IN_PROGRESS" })).ShouldBeOk();

        ((DateTime)changed.Body["next_action_at"]! - (DateTime)changed.Body["started_at"]!).ShouldBe(TimeSpan.FromHours(4));
        await host.DialsRecorded();
        host.Dials(id).ShouldBe(0);
    }

    [Theory]
    [InlineData(null, "completed")]
    [InlineData("completed", "completed")]
    [InlineData("no-answer", "no-answer")]
    [InlineData("busy", "busy")]
    [InlineData("failed", "failed")]
    [InlineData("unknown", "unknown")]
    public async Task IN_PROGRESS_ends_with_the_outcome_that_is_given_or_completed(string? outcome, string stored)
    {
        var acme = await host.AddOrganization();
        var (id, _) = await acme.Dialled();

        var changed = (await acme.Patch(id, outcome is null ? new { status = "COMPLETED" } : new { status = "COMPLETED", outcome })).ShouldBeOk();

        changed.CallStatus.ShouldBe(CallStatus.Completed);
        changed.Outcome.ShouldBe(stored);
        changed.Body["next_action_at"].ShouldBeNull();
        changed.Body["ended_at"].ShouldNotBeNull();
        (await acme.Read(id)).Events[^1].ShouldBe(stored);
    }

    [Fact]
    public async Task An_outbound_call_IN_PROGRESS_can_no_longer_be_canceled_but_an_inbound_one_can()
    {
        var acme = await host.AddOrganization();
        var (outbound, _) = await acme.Dialled();
        var inbound = (await acme.Passthru(("CallSid", "sid"), ("CallFrom", Acme.Customer), ("CallTo", Acme.Phone))).Id;

        var refused = await host.ChangesNothing(() => acme.Patch(outbound, new { status = "COMPLETED", outcome = "canceled" }));
        ((string?)refused.ShouldBeProblem(HttpStatusCode.Conflict).Body["call_status"]).ShouldBe("IN_PROGRESS");

        (await acme.Patch(inbound, new { status = "COMPLETED", outcome = "canceled" })).ShouldBeOk().Outcome.ShouldBe("canceled");
    }

    [Fact]
    public async Task PENDING_ends_as_canceled_and_is_never_dialled()
    {
        var acme = await host.AddOrganization();
        foreach (var change in new object[] { new { status = "COMPLETED" }, new { status = "COMPLETED", outcome = "canceled" } })
        {
            var id = await acme.CreateOutbound();
            var changed = (await acme.Patch(id, change)).ShouldBeOk();
            changed.Outcome.ShouldBe("canceled");
            changed.Body["next_action_at"].ShouldBeNull();
            await host.Trigger();
            host.Dials(id).ShouldBe(0);
        }
    }

    [Fact]
    public async Task What_the_lifecycle_does_not_allow_is_409_with_the_present_status_and_what_is_allowed()
    {
        var acme = await host.AddOrganization();
        var pending = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        var (inProgress, _) = await acme.Dialled();
        var (completed, _) = await acme.Dialled();
        await acme.Patch(completed, new { status = "COMPLETED" });

        foreach (var outcome in CallOutcome.All.Where(outcome => outcome != CallOutcome.Canceled))
            await Conflicts(pending, new { status = "COMPLETED", outcome }, "PENDING", "IN_PROGRESS", "COMPLETED (canceled)");
        foreach (var change in new object[]
        {
            new { status = "IN_PROGRESS" }, new { status = "PENDING" }, new { next_action_at = "2099-01-01T00:00:00Z" }, new { next_action_at = (string?)null },
        })
        {
            await Conflicts(inProgress, change, "IN_PROGRESS", "COMPLETED");
            await Conflicts(completed, change, "COMPLETED");
        }

        await Conflicts(completed, new { status = "COMPLETED" }, "COMPLETED");
        await Conflicts(completed, new { status = "COMPLETED", outcome = "busy", metadata = new { a = 1 } }, "COMPLETED");

        async Task Conflicts(Guid id, object change, string status, params string[] allowed)
        {
            var answer = (await host.ChangesNothing(() => acme.Patch(id, change))).ShouldBeProblem(HttpStatusCode.Conflict);
            ((string?)answer.Body["call_status"]).ShouldBe(status);
            answer.Body["allowed"]!.AsArray().Select(next => (string)next!).ShouldBe(allowed);
            ((string)answer.Body["detail"]!).ShouldContain(status);
        }
    }

    [Fact]
    public async Task The_time_moves_and_is_cleared_only_while_PENDING()
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound();

        var moved = (await acme.Patch(id, new { next_action_at = "2099-01-01T14:30:00+05:30" })).ShouldBeOk();
        ((string?)moved.Body["next_action_at"]).ShouldBe("2099-01-01T09:00:00Z");
        await host.Trigger();
        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.Pending);

        var cleared = (await acme.Patch(id, new { next_action_at = (string?)null })).ShouldBeOk();
        cleared.Body["next_action_at"].ShouldBeNull();
        await host.Trigger();
        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.Pending);

        (await acme.Patch(id, new { status = "PENDING", next_action_at = "2020-01-01T00:00:00Z" })).ShouldBeOk();
        await host.Trigger();
        host.Dials(id).ShouldBe(1);
        (await acme.Read(id)).Events.ShouldBe(["created", "rescheduled", "rescheduled", "rescheduled", "claimed", "dial-accepted"]);
    }

    [Fact]
    public async Task A_time_for_an_inbound_call_is_refused()
    {
        var acme = await host.AddOrganization();
        var id = (await acme.Post("/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone })).Id;
        (await host.ChangesNothing(() => acme.Patch(id, new { next_action_at = "2099-01-01T00:00:00Z" }))).ShouldBeProblem(HttpStatusCode.BadRequest, "next_action_at");
    }

    [Fact]
    public async Task A_cancel_that_was_answered_200_means_that_the_call_is_never_dialled_and_409_that_it_came_too_late()
    {
        var acme = await host.AddOrganization();
        var due = DateTimeOffset.UtcNow.AddHours(-1);
        var ids = await Task.WhenAll(Enumerable.Range(0, 80).Select(i => acme.CreateOutbound($"+9199{i:00000000}", due.AddSeconds(i))));
        // One on each side of the race for certain: the last is cancelled before it, the first is dialled before it.
        var answers = new ConcurrentDictionary<Guid, Answer>();
        await Cancel(ids[^1]);
        await host.Trigger();

        await Task.WhenAll(DialAll(), Task.WhenAll(ids[..^1].Reverse().Select(Cancel)));

        answers.Count.ShouldBe(ids.Length);
        answers[ids[^1]].ShouldBeOk();
        answers[ids[0]].ShouldBeProblem(HttpStatusCode.Conflict);
        foreach (var (id, answer) in answers)
        {
            var call = await acme.Read(id);
            var canceled = answer.Status == HttpStatusCode.OK;
            if (!canceled) answer.ShouldBeProblem(HttpStatusCode.Conflict);
            call.CallStatus.ShouldBe(canceled ? CallStatus.Completed : CallStatus.InProgress);
            call.Events.ShouldBe(canceled ? ["created", "canceled"] : ["created", "claimed", "dial-accepted"]);
            host.Dials(id).ShouldBe(canceled ? 0 : 1);
        }

        async Task Cancel(Guid id) => answers[id] = await acme.Patch(id, new { status = "COMPLETED", outcome = "canceled" });

        async Task DialAll()
        {
            while (await host.Trigger() > 0)
            {
            }
        }
    }

    /// <summary>Claims a few calls at once, so that there is time to come in between, and knows what was dialled.</summary>
    public sealed class HostThatCounts : TestHost
    {
        private readonly TestDialer dialer;

        public HostThatCounts(TestPostgres postgres)
            : this(postgres, new())
        {
        }

        private HostThatCounts(TestPostgres postgres, TestDialer dialer)
            : base(postgres, null, dialer, ("Scheduler:BatchSize", "4")) => this.dialer = dialer;

        public int Dials(Guid id) => dialer.Dials.Count(dial => dial.CallId == id);
    }
}
