using System.Net;
using CallOrchestration.Outbound;
using CallOrchestration.Scheduling;
using CallOrchestration.Tests;

namespace CallOrchestration.ProviderEvents.Tests;

public sealed class ReceiveProviderEventTests(TestPostgres postgres, ReceiveProviderEventTests.Provider host)
    : IClassFixture<ReceiveProviderEventTests.Provider>
{
    /// <summary>A host whose dials this test answers, with a retry that is due at once.</summary>
    public sealed class Provider(TestPostgres postgres) : TestHost(postgres, null, Dialer, ("Retry:Delay", "00:00:00"), ("Scheduler:BatchSize", "500"))
    {
        internal static TestDialer Dialer { get; } = new();
    }

    [Fact]
    public async Task Answered_and_completed_is_a_whole_life()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();

        var answered = await acme.Event(("CallSid", sid!), ("EventType", "answered"), ("Status", "in-progress"));
        var completed = await acme.Event(
            ("CallSid", sid!), ("EventType", "terminal"), ("Status", "completed"), ("ConversationDuration", "320"), ("RecordingUrl", "https://recordings.example/1.mp3"));

        (answered.Applied, answered.CallStatus).ShouldBe((true, CallStatus.InProgress));
        (completed.Applied, completed.CallStatus, completed.Id).ShouldBe((true, CallStatus.Completed, id));
        var call = await acme.Read(id);
        (call.Outcome, call.Retries).ShouldBe((CallOutcome.Completed, 0));
        call.Body["answered_at"].ShouldNotBeNull();
        call.Body["ended_at"].ShouldNotBeNull();
        ((int)call.Body["duration_seconds"]!).ShouldBe(320);
        ((string?)call.Body["recording_url"]).ShouldBe("https://recordings.example/1.mp3");
        call.Events.ShouldBe(["created", "claimed", "dial-accepted", "answered", "completed"]);
    }

    [Fact]
    public async Task An_answer_gives_the_call_the_time_of_a_conversation()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();

        await acme.Event(("CallSid", sid!), ("Status", "in-progress"));

        var call = await acme.Read(id);
        var wait = (DateTime)call.Body["next_action_at"]! - (DateTime)call.Body["updated_at"]!;
        wait.ShouldBeInRange(TimeSpan.FromMinutes(239), TimeSpan.FromMinutes(240));
    }

    [Fact]
    public async Task The_answer_of_the_second_leg_changes_nothing()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();
        (await acme.Event(("CallSid", sid!), ("EventType", "answered"), ("Status", "in-progress"))).Applied.ShouldBeTrue();
        var before = await acme.Read(id);

        (await acme.Event(("CallSid", sid!), ("EventType", "answered"), ("Status", "in-progress"))).Applied.ShouldBeFalse();

        Unchanging(await acme.Read(id)).ShouldBe(Unchanging(before));
    }

    [Fact]
    public async Task A_call_that_rings_out_is_tried_once_more_after_the_delay()
    {
        await using var slow = await TestHost.Start(postgres, null, new TestDialer());
        var acme = await slow.AddOrganization();
        var (id, sid) = await acme.Dialled();

        (await acme.Event(("CallSid", sid!), ("Status", "no-answer"))).CallStatus.ShouldBe(CallStatus.Pending);

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries, (string?)call.Body["provider_call_id"]).ShouldBe((CallStatus.Pending, null, 1, null));
        var wait = (DateTime)call.Body["next_action_at"]! - (DateTime)call.Body["updated_at"]!;
        wait.ShouldBeInRange(TimeSpan.FromSeconds(299), TimeSpan.FromSeconds(300));
        (await slow.Trigger()).ShouldBe(0, "not due yet");
    }

    [Fact]
    public async Task A_call_that_rings_out_twice_ends_as_no_answer_and_is_never_dialled_a_third_time()
    {
        var acme = await host.AddOrganization();
        var (id, first) = await acme.Dialled();
        await acme.Event(("CallSid", first!), ("Status", "no-answer"));
        await host.Trigger();
        var second = TestDialer.Sid(id, 2);

        (await acme.Event(("CallSid", second), ("Status", "no-answer"))).CallStatus.ShouldBe(CallStatus.Completed);
        // Whatever arrives now, and from whichever attempt.
        foreach (var sid in (string[])[first!, second, "another"])
        {
            foreach (var status in (string[])["no-answer", "in-progress", "completed", "busy", "no-answer"])
                (await acme.Event(("CallSid", sid), ("CustomField", id.ToString()), ("Status", status))).Applied.ShouldBeFalse();
            await host.Trigger();
        }

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries).ShouldBe((CallStatus.Completed, CallOutcome.NoAnswer, 1));
        Provider.Dialer.Dials.Count(dial => dial.CallId == id).ShouldBe(2);
    }

    [Theory]
    [InlineData("busy", CallOutcome.Busy)]
    [InlineData("failed", CallOutcome.Failed)]
    [InlineData("canceled", CallOutcome.Canceled)]
    [InlineData("Cancelled", CallOutcome.Canceled)]
    public async Task Any_other_ending_is_final_without_a_retry(string word, string outcome)
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();

        await acme.Event(("CallSid", sid!), ("Status", word));

        var call = await acme.Read(id);
        (call.CallStatus, call.Outcome, call.Retries).ShouldBe((CallStatus.Completed, outcome, 0));
    }

    /// <summary>
    /// Every order of {dial recorded, answered, answered again, ending, ending again}: 30 of them, for each ending and for both attempts.
    /// No sampling.
    /// </summary>
    [Theory]
    [MemberData(nameof(EndingsAndAttempts))]
    public async Task Every_order_of_the_events_of_an_attempt_leads_to_the_same_end(string ending, int attempt)
    {
        var dialer = new TestDialer { Holds = true };
        // All dials are out from the beginning to the end, and none of them may be given up meanwhile.
        await using var own = new TestHost(postgres, null, dialer, ("Retry:Delay", "00:00:00"), ("Scheduler:BatchSize", "500")) { Clock = new NoAlarms() };
        await own.InitializeAsync();
        var acme = await own.AddOrganization();
        var orders = Orders("DAAEE").ToList();
        orders.Count.ShouldBe(30);
        var ids = new List<Guid>();
        foreach (var _ in orders) ids.Add(await acme.CreateOutbound());
        if (attempt == 2) await RingOutOnce(own, dialer, acme, ids);
        await own.Service<TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);

        var ends = new List<string>();
        foreach (var (order, id) in orders.Zip(ids))
        {
            foreach (var step in order) await Play(own, dialer, acme, id, attempt, step, ending);
            ends.Add(await EndState(own, id));
        }

        ends.Distinct().ShouldHaveSingleItem();
        dialer.Dials.Count.ShouldBe(ids.Count * attempt);
        var again = ending == "no-answer" && attempt == 1;
        (await acme.Read(ids[0])).CallStatus.ShouldBe(again ? CallStatus.Pending : CallStatus.Completed);
        (await own.Trigger(release: dialer)).ShouldBe(again ? ids.Count : 0);
    }

    [Fact]
    public async Task A_callback_that_comes_before_the_dials_answer_is_stored_finds_its_call_by_our_reference()
    {
        var dialer = new TestDialer { Holds = true };
        await using var own = await TestHost.Start(postgres, null, dialer);
        var acme = await own.AddOrganization();
        var id = await acme.CreateOutbound();
        var triggered = await own.Service<TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);
        var sid = TestDialer.Sid(id, 1);

        // Nothing but the CallSid: nobody knows it yet, and the provider will try again.
        (await acme.Event(("CallSid", sid), ("Status", "completed"))).ShouldBeProblem(HttpStatusCode.NotFound);
        (await acme.Event($"&call={id}&attempt=1", ("CallSid", sid), ("Status", "completed"))).Applied.ShouldBeTrue();
        dialer.Release(id, 1);
        await triggered.Recorded;

        var call = await acme.Read(id);
        (call.Outcome, (string?)call.Body["provider_call_id"]).ShouldBe((CallOutcome.Completed, sid));
        call.Events.ShouldBe(["created", "claimed", "completed", "dial-accepted"]);
    }

    [Fact]
    public async Task A_callback_of_the_first_attempt_changes_nothing_after_the_retry_was_scheduled_and_after_it_was_dialled()
    {
        var acme = await host.AddOrganization();
        var (id, first) = await acme.Dialled();
        await acme.Event(("CallSid", first!), ("Status", "no-answer"));

        var scheduled = await Stale();
        scheduled.CallStatus.ShouldBe(CallStatus.Pending);
        await host.Trigger();
        var dialled = await Stale();
        dialled.CallStatus.ShouldBe(CallStatus.InProgress);

        (await acme.Event(("CallSid", TestDialer.Sid(id, 2)), ("Status", "completed"))).Applied.ShouldBeTrue();
        var call = await acme.Read(id);
        (call.Outcome, call.Retries, (string?)call.Body["provider_call_id"]).ShouldBe((CallOutcome.Completed, 1, TestDialer.Sid(id, 2)));

        async Task<Answer> Stale()
        {
            Answer last = null!;
            foreach (var status in (string[])["in-progress", "no-answer", "completed"])
            {
                // By the CallSid alone, with our reference besides, and by the URL of the first attempt.
                (await acme.Event(("CallSid", first!), ("Status", status))).Applied.ShouldBeFalse();
                (await acme.Event(("CallSid", first!), ("Status", status), ("CustomField", id.ToString()))).Applied.ShouldBeFalse();
                last = await acme.Event($"&call={id}&attempt=1", ("CallSid", first!), ("Status", status));
                last.Applied.ShouldBeFalse();
            }

            return last;
        }
    }

    [Fact]
    public async Task A_stale_callback_in_the_moment_before_the_retrys_dial_is_recorded_is_not_taken_for_the_retrys()
    {
        var dialer = new TestDialer();
        await using var own = await TestHost.Start(postgres, null, dialer, ("Retry:Delay", "00:00:00"));
        var acme = await own.AddOrganization();
        var (id, _) = await acme.Dialled();
        // The provider knows the first attempt under a name that is not the one it had answered with.
        await acme.Event(("CallSid", "renamed"), ("CustomField", id.ToString()), ("Status", "no-answer"));
        dialer.Holds = true;
        var triggered = await own.Service<TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);

        (await acme.Event(("CallSid", "renamed"), ("CustomField", id.ToString()), ("Status", "no-answer"))).Applied.ShouldBeFalse();
        (await acme.Event(("CallSid", "second"), ("CustomField", id.ToString()), ("Status", "in-progress"))).Applied.ShouldBeTrue();
        dialer.Release(id, 2, new DialResult.Accepted("second"));
        await triggered.Recorded;

        (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.InProgress);
    }

    [Fact]
    public async Task Of_two_different_endings_at_the_same_moment_on_two_hosts_one_stands()
    {
        await using var other = await TestHost.Start(postgres, host.ConnectionString, Provider.Dialer, ("Retry:Delay", "00:00:00"));
        var acme = await host.AddOrganization();
        for (var round = 0; round < 40; round++)
        {
            var (id, sid) = await acme.Dialled();
            var answers = await Task.WhenAll(
                acme.Event(("CallSid", sid!), ("Status", "busy")), acme.Through(other).Event(("CallSid", sid!), ("Status", "no-answer")));

            answers.Count(answer => answer.Applied).ShouldBe(1);
            var call = await acme.Read(id);
            (call.CallStatus, call.Outcome, call.Retries).ShouldBe(
                answers[0].Applied ? (CallStatus.Completed, CallOutcome.Busy, 0) : (CallStatus.Pending, null, 1));
        }
    }

    [Theory]
    [InlineData("Status", "wandering")]
    [InlineData("Status", "null")]
    [InlineData("Status", "\"null\"")]
    [InlineData("Status", "")]
    [InlineData("Status", "queued")]
    [InlineData("EventType", "legend")]
    [InlineData("EventType", "Dial")]
    public async Task An_unknown_word_or_none_is_kept_and_changes_nothing(string field, string word)
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();
        var before = await acme.Read(id);

        var answer = await acme.Event(("CallSid", sid!), (field, word), ("Surprise", "kept"), ("RecordingUrl", "null"));

        answer.ShouldBeOk().Applied.ShouldBeFalse();
        var after = await acme.Read(id);
        after.Body["history"]!.AsArray()[^1]!["details"]!["Surprise"]!.GetValue<string>().ShouldBe("kept");
        Unchanging(after).ShouldBe(Unchanging(before));
    }

    [Fact]
    public async Task A_ringing_agent_is_not_a_busy_call()
    {
        var acme = await host.AddOrganization();
        var (_, sid) = await acme.Dialled();

        (await acme.Event(("CallSid", sid!), ("EventType", "Dial"), ("Status", "busy"))).CallStatus.ShouldBe(CallStatus.InProgress);
    }

    [Fact]
    public async Task A_callback_is_taken_in_every_content_type_that_is_used()
    {
        var acme = await host.AddOrganization();
        foreach (var send in (Func<string, Task<Answer>>[])
        [
            sid => acme.Webhook(HttpMethod.Get, $"/webhooks/provider-event?CallSid={sid}&Status=completed"),
            sid => acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Form(("CallSid", sid), ("Status", "completed"))),
            sid => acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json(new { CallSid = sid, Status = "completed", Legs = new[] { new { OnCallDuration = 3 } } })),
            sid => acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", new MultipartFormDataContent { { new StringContent(sid), "CallSid" }, { new StringContent("completed"), "\"Status\"" } }),
            // JSON under the name that curl gives to everything.
            sid => acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json(new { CallSid = sid, Status = "completed" }, "application/x-www-form-urlencoded")),
        ])
        {
            var (id, sid) = await acme.Dialled();
            var answer = await send(sid!);
            (answer.ShouldBeOk().Applied, answer.Id, answer.CallStatus).ShouldBe((true, id, CallStatus.Completed));
        }
    }

    [Fact]
    public async Task A_head_without_a_call_is_a_probe_and_one_with_a_call_is_an_event()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();

        (await acme.Webhook(HttpMethod.Head, "/webhooks/provider-event")).ShouldBeOk();
        (await acme.Webhook(HttpMethod.Head, $"/webhooks/provider-event?CallSid={sid}&Status=busy")).ShouldBeOk();

        (await acme.Read(id)).Outcome.ShouldBe(CallOutcome.Busy);
    }

    [Fact]
    public async Task The_signed_callback_url_speaks_for_its_call_and_attempt_alone()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();
        var (other, _) = await acme.Dialled();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var secret = await connection.QuerySingleAsync<byte[]>("select callback_secret from organizations where id = @Id", acme);
        var signature = CallbackSignature.Of(secret, acme.Id, id, 1);

        string[] wrong =
        [
            $"call={id}&attempt=1&signature=",
            $"call={id}&attempt=1&signature={signature[..^1]}",
            $"call={id}&attempt=2&signature={signature}",
            $"call={other}&attempt=1&signature={signature}",
            $"call={Guid.NewGuid()}&attempt=1&signature={signature}",
            $"call=x&attempt=1&signature={signature}",
            $"attempt=1&signature={signature}",
            $"call={id}&attempt=1&signature={CallbackSignature.Of(secret, Guid.NewGuid(), id, 1)}",
            // A token does not mend a wrong signature.
            $"call={id}&attempt=2&signature={signature}&token={acme.WebhookToken}",
            $"call={id}&attempt=1",
        ];
        var before = (await acme.Read(id)).Text;
        var refused = new HashSet<string>();
        foreach (var query in wrong)
        {
            var answer = await acme.Send(HttpMethod.Post, $"/webhooks/provider-event?{query}", Acme.Form(("CallSid", sid!), ("Status", "completed")));
            refused.Add(answer.ShouldBeProblem(HttpStatusCode.Unauthorized).Body["detail"]!.ToString());
        }

        refused.ShouldHaveSingleItem("no hint which part was wrong");
        (await acme.Read(id)).Text.ShouldBe(before);
        var applied = await acme.Send(
            HttpMethod.Post, $"/webhooks/provider-event?call={id}&attempt=1&signature={signature}", Acme.Form(("Status", "completed")));
        (applied.ShouldBeOk().Applied, applied.Id).ShouldBe((true, id));
    }

    [Theory]
    [InlineData("04-statuscallback-default-multipart-pipecat.form", Wire.Multipart)]
    [InlineData("23-statuscallback-default-developer-docs.json", Wire.Json)]
    [InlineData("24-statuscallback-terminal-completed-developer-docs.json", Wire.Json)]
    [InlineData("91-CONSTRUCTED-statuscallback-answered-leg2.form", Wire.Urlencoded)]
    [InlineData("92-CONSTRUCTED-statuscallback-terminal-no-answer.form", Wire.Urlencoded)]
    [InlineData("93-CONSTRUCTED-statuscallback-default-no-answer.form", Wire.Urlencoded)]
    public async Task A_sample_of_a_status_callback_makes_this_row(string file, Wire wire)
    {
        var acme = await host.AddOrganization();
        var (id, _) = await acme.Dialled();
        // The call has the sample's CallSid, as if the dial had been answered with it.
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("update calls set provider_call_id = @sid where id = @id", new { id, sid = Samples.CallSid(file) });

        var answer = wire == Wire.Multipart
            ? await acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Samples.Multipart(file))
            : wire == Wire.Json
            ? await acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json(Samples.Text(file)))
            : await acme.Send(wire, "/webhooks/provider-event", Samples.Fields(file));

        answer.ShouldBeOk().Id.ShouldBe(id);
        (await RowSnapshot.Of(host.Rows, id)).ShouldMatchApproved(match => match
            .WithDiscriminator($"{file[..2]}-{wire}").SubFolder("../../tests/snapshots").NoDiff());
    }

    [Fact]
    public async Task Bad_input_gets_a_clear_error_and_changes_nothing()
    {
        var acme = await host.AddOrganization();
        var stranger = await host.AddOrganization("Stranger");
        var (id, sid) = await acme.Dialled();
        var before = (await acme.Read(id)).Text;

        (await acme.Send(HttpMethod.Post, "/webhooks/provider-event", Acme.Form(("CallSid", sid!), ("Status", "completed")))).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await acme.Send(HttpMethod.Post, "/webhooks/provider-event?token=wrong", Acme.Form(("CallSid", sid!), ("Status", "completed")))).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await acme.Send(HttpMethod.Post, $"/webhooks/provider-event?token={acme.ApiKey}", Acme.Form(("CallSid", sid!), ("Status", "completed")))).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await stranger.Event(("CallSid", sid!), ("CustomField", id.ToString()), ("Status", "completed"))).ShouldBeProblem(HttpStatusCode.NotFound);
        (await acme.Event(("Status", "completed"))).ShouldBeProblem(HttpStatusCode.BadRequest, "CallSid");
        (await acme.Event("&call=x", ("CallSid", sid!))).ShouldBeProblem(HttpStatusCode.BadRequest, "call");
        (await acme.Event($"&call={id}&attempt=3", ("CallSid", sid!))).ShouldBeProblem(HttpStatusCode.BadRequest, "attempt");
        (await acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json("{\"CallSid\":"))).ShouldBeProblem(HttpStatusCode.BadRequest, "body");
        (await acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json(new { CallSid = sid, Filler = new string('x', 65536) }))).ShouldBeProblem(HttpStatusCode.RequestEntityTooLarge);
        (await acme.Webhook(HttpMethod.Delete, "/webhooks/provider-event")).ShouldBeProblem(HttpStatusCode.MethodNotAllowed);

        (await acme.Read(id)).Text.ShouldBe(before);
    }

    [Fact]
    public async Task Text_that_the_database_cannot_hold_is_no_reason_to_lose_an_event()
    {
        var acme = await host.AddOrganization();
        var (_, sid) = await acme.Dialled();

        var answer = await acme.Webhook(
            HttpMethod.Post, "/webhooks/provider-event", Acme.Json($$"""{"CallSid":"{{sid}}","Status":"completed","a":"\u0000b","c":"\ud800","\u0000":"d"}"""));

        answer.ShouldBeOk().Applied.ShouldBeTrue();
    }

    public static TheoryData<string, int> EndingsAndAttempts()
    {
        var data = new TheoryData<string, int>();
        foreach (var ending in (string[])["completed", "no-answer", "busy", "failed", "canceled"])
        {
            data.Add(ending, 1);
            data.Add(ending, 2);
        }

        return data;
    }

    private static IEnumerable<string> Orders(string steps) => steps.Length == 0
        ? [""]
        : steps.Distinct().SelectMany(first => Orders(steps.Remove(steps.IndexOf(first, StringComparison.Ordinal), 1)).Select(rest => first + rest));

    private static async Task Play(TestHost own, TestDialer dialer, Acme acme, Guid id, int attempt, char step, string ending)
    {
        if (step == 'D')
        {
            var dials = own.Service<DialCalls>();
            var left = dials.Out;
            dialer.Release(id, attempt);
            await dials.WaitUntilFewerOut(left, TestContext.Current.CancellationToken);
            return;
        }

        var word = step == 'A' ? "in-progress" : ending;
        (await acme.Event(("CallSid", TestDialer.Sid(id, attempt)), ("CustomField", id.ToString()), ("Status", word))).ShouldBeOk();
    }

    private static async Task RingOutOnce(TestHost own, TestDialer dialer, Acme acme, List<Guid> ids)
    {
        var triggered = await own.Service<TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);
        foreach (var id in ids) dialer.Release(id, 1);
        await triggered.Recorded;
        foreach (var id in ids) (await acme.Event(("CallSid", TestDialer.Sid(id, 1)), ("Status", "no-answer"))).Applied.ShouldBeTrue();
    }

    // What must not depend on the order: everything but the times, and the history as a set.
    private static async Task<string> EndState(TestHost own, Guid id)
    {
        await using var connection = await own.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var state = await connection.QuerySingleAsync<string>(
            """
            select concat_ws(' ', status, coalesce(outcome, '-'), retries, claims, right(provider_call_id, 1), '|', right(previous_provider_call_id, 1),
                jsonb_array_length(history), (select string_agg(entry ->> 'event', ',' order by entry ->> 'event') from jsonb_array_elements(history) entry))
            from calls
            where id = @id
            """,
            new { id });
        return state;
    }

    private static string Unchanging(Answer call)
    {
        var body = call.Body.AsObject();
        foreach (var name in (string[])["history", "revision", "updated_at"]) body.Remove(name);
        return body.ToJsonString();
    }
}
