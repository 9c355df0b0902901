using System.Net;
using System.Net.Http.Headers;
using CallOrchestration.Tests;

namespace CallOrchestration.Inbound.Tests;

public sealed class ReceiveInboundCallTests(TestHost host) : IClassFixture<TestHost>
{
    private const string Sid = "e12eb6e6fcd920019d7174b60099187v";

    [Fact]
    public async Task The_first_request_of_a_call_inserts_it_and_the_last_completes_it()
    {
        var acme = await host.AddOrganization();

        var first = await acme.Passthru(("CallSid", Sid), ("CallType", "call-attempt"));
        var second = await acme.Passthru(("CallSid", Sid), ("CallFrom", "09900000001"), ("CallTo", "08060000001"), ("Direction", "incoming"), ("CallType", "call-attempt"));
        var last = await acme.Passthru(("CallSid", Sid), ("CallType", "completed"), ("DialCallStatus", "completed"), ("CallFrom", ""), ("RecordingUrl", "https://recordings.example/1.mp3"));

        (first.ShouldBeOk().CallStatus, second.CallStatus, last.CallStatus).ShouldBe((CallStatus.InProgress, CallStatus.InProgress, CallStatus.Completed));
        (second.Id, last.Id).ShouldBe((first.Id, first.Id));
        first.Body.AsObject().Select(field => field.Key).ShouldBe(["call_id", "status"]);
        var call = await acme.Read(first.Id);
        ((string?)call.Body["direction"], (string?)call.Body["from"], (string?)call.Body["to"]).ShouldBe((CallDirection.Inbound, "+919900000001", "+918060000001"));
        (call.Outcome, (string?)call.Body["recording_url"]).ShouldBe((CallOutcome.Completed, "https://recordings.example/1.mp3"));
        call.Events.ShouldBe(["created", "call-attempt", "call-attempt", "completed"]);
    }

    [Fact]
    public async Task Later_requests_add_what_is_new_and_blank_nothing()
    {
        var acme = await host.AddOrganization();
        var id = (await acme.Passthru(("CallSid", Sid), ("CallFrom", "09900000001"), ("CallTo", "08060000001"), ("StartTime", "2024-07-31 16:42:56"), ("CallType", "completed"))).Id;
        var before = await acme.Read(id);

        await acme.Passthru(("CallSid", Sid), ("CallFrom", "null"), ("CallTo", ""), ("StartTime", "1970-01-01 05:30:00"), ("CallType", "voicemail"), ("RecordingUrl", "https://recordings.example/late.mp3"));

        var after = await acme.Read(id);
        ((string?)after.Body["recording_url"]).ShouldBe("https://recordings.example/late.mp3");
        foreach (var field in (string[])["status", "outcome", "from", "to", "started_at", "ended_at", "provider_call_id"])
            after.Body[field]?.ToJsonString().ShouldBe(before.Body[field]?.ToJsonString(), field);
    }

    [Fact]
    public async Task Twenty_first_requests_at_once_make_one_call()
    {
        var acme = await host.AddOrganization();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => acme.Passthru(("CallSid", Sid), ("CallFrom", "09900000001"), ("Direction", "incoming"))));

        answers.ShouldAllBe(answer => answer.Status == HttpStatusCode.OK);
        answers.Select(answer => answer.Id).Distinct().ShouldHaveSingleItem();
        (await acme.Get("/api/calls")).Body["items"]!.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_request_that_finds_its_call_being_inserted_by_another_waits_and_adds_to_it()
    {
        var acme = await host.AddOrganization();
        var id = Guid.CreateVersion7();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var other = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(
            """
            insert into calls (id, organization_id, direction, status, provider_call_id, next_action_at)
            values (@id, @organizationId, 'INBOUND', 'IN_PROGRESS', @sid, now() + interval '1 hour')
            """,
            new { id, organizationId = acme.Id, sid = Sid });

        var request = acme.Passthru(("CallSid", Sid), ("CallType", "completed"));
        // Until the request waits for the insert.
        while (!request.IsCompleted && !await connection.QuerySingleAsync<bool>(
            "select exists (select 1 from pg_locks where not granted and transactionid = pg_current_xact_id()::xid)"))
        {
        }

        await other.CommitAsync(TestContext.Current.CancellationToken);

        var answer = (await request).ShouldBeOk();
        (answer.Id, answer.CallStatus).ShouldBe((id, CallStatus.Completed));
    }

    [Fact]
    public async Task The_same_CallSid_is_another_call_for_another_organization()
    {
        var (acme, other) = (await host.AddOrganization(), await host.AddOrganization("Other"));

        var (ours, theirs) = (await acme.Passthru(("CallSid", Sid)), await other.Passthru(("CallSid", Sid)));

        ours.Id.ShouldNotBe(theirs.Id);
        (await acme.Read(theirs.Id)).ShouldBeProblem(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("CallType=completed", CallOutcome.Completed)]
    [InlineData("CallType=incomplete", CallOutcome.NoAnswer)]
    [InlineData("CallType=voicemail", CallOutcome.NoAnswer)]
    [InlineData("CallType=client-hangup", CallOutcome.Canceled)]
    [InlineData("CallType=completed&DialCallStatus=busy", CallOutcome.Busy)]
    [InlineData("CallType=completed&DialCallStatus=wandering&CallStatus=failed", CallOutcome.Failed)]
    [InlineData("CallType=incomplete&DialCallStatus=null", CallOutcome.NoAnswer)]
    [InlineData("CallStatus=no-answer", CallOutcome.NoAnswer)]
    [InlineData("Status=canceled", CallOutcome.Canceled)]
    [InlineData("Stream[DisconnectedBy]=user", CallOutcome.Completed)]
    [InlineData("Stream={\"DisconnectedBy\":\"user\",\"Duration\":\"28\"}", CallOutcome.Completed)]
    [InlineData("Stream[DisconnectedBy]=bot", null)]
    [InlineData("DialCallStatus=completed", null)]
    [InlineData("EventType=Dial&Status=busy", null)]
    [InlineData("EventType=Terminal&Status=free", null)]
    [InlineData("EventType=Terminal&Status=completed", null)]
    [InlineData("CallStatus=ringing", null)]
    [InlineData("CallType=call-attempt&Status=null", null)]
    public async Task What_ends_an_inbound_call_and_how(string query, string? outcome)
    {
        var acme = await host.AddOrganization();

        var answer = await acme.Webhook(HttpMethod.Get, $"/webhooks/inbound?CallSid={Sid}&{Uri.EscapeDataString(query).Replace("%3D", "=", StringComparison.Ordinal).Replace("%26", "&", StringComparison.Ordinal)}");

        answer.ShouldBeOk().CallStatus.ShouldBe(outcome is null ? CallStatus.InProgress : CallStatus.Completed);
        (await acme.Read(answer.Id)).Outcome.ShouldBe(outcome);
    }

    [Theory]
    [InlineData("outbound-dial", true)]
    [InlineData("", true)]
    [InlineData("outbound-dial", false)]
    public async Task Our_own_outbound_call_that_passes_an_applet_never_becomes_an_inbound_call(string direction, bool withCustomField)
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();

        var passed = await acme.Passthru(
            ("CallSid", withCustomField ? "unknown-yet" : sid!), ("Direction", direction), ("CustomField", withCustomField ? id.ToString() : ""), ("CallType", "incomplete"), ("DialCallStatus", "no-answer"));

        // An agent who does not pick up is no customer who does not: the call goes on, and is not tried again.
        (passed.ShouldBeOk().Id, passed.CallStatus).ShouldBe((id, CallStatus.InProgress));
        (await acme.Get("/api/calls?direction=INBOUND")).Body["items"]!.AsArray().ShouldBeEmpty();
        (await acme.Passthru(("CallSid", sid!), ("Direction", direction), ("CallStatus", "in-progress"))).ShouldBeOk();
        (await acme.Read(id)).Body["answered_at"].ShouldNotBeNull();
    }

    [Fact]
    public async Task An_outbound_call_that_is_not_ours_passes_and_leaves_nothing_behind()
    {
        var acme = await host.AddOrganization();

        var answer = await acme.Passthru(("CallSid", Sid), ("Direction", "outbound-dial"), ("CallType", "call-attempt"));

        answer.ShouldBeOk().Body["call_id"].ShouldBeNull();
        (await acme.Get("/api/calls")).Body["items"]!.AsArray().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("01-passthru-get-incoming-digits-reverie.form", Wire.Get)]
    [InlineData("02-voicebot-dynamic-url-get-incoming-reverie.form", Wire.Get)]
    [InlineData("05-passthru-form-no-status-vaani.form", Wire.Urlencoded)]
    [InlineData("06-passthru-legs-insights-fragment-fastglue.form", Wire.Urlencoded)]
    [InlineData("08-agent-passthru-dial-frappe.json", Wire.Get)]
    [InlineData("08-agent-passthru-dial-frappe.json", Wire.Urlencoded)]
    [InlineData("09-passthru-call-end-completed-frappe.json", Wire.Get)]
    [InlineData("09-passthru-call-end-completed-frappe.json", Wire.Urlencoded)]
    [InlineData("11-passthru-incomplete-no-answer-frappe.json", Wire.Get)]
    [InlineData("11-passthru-incomplete-no-answer-frappe.json", Wire.Urlencoded)]
    [InlineData("21-passthru-agentstream-stream-as-json-support-doc.form", Wire.Get)]
    [InlineData("22-passthru-agentstream-post-json-developer-docs.json", Wire.Json)]
    public async Task A_sample_of_an_applet_makes_this_row(string file, Wire wire)
    {
        var acme = await host.AddOrganization();
        var fields = Samples.Fields(file);
        if (!fields.Any(field => field.Name == "CallSid"))
        {
            // A fragment: alone it names no call; in company of the rest it arrives like this.
            (await acme.Send(wire, "/webhooks/inbound", fields)).ShouldBeProblem(HttpStatusCode.BadRequest, "CallSid");
            (await acme.Get("/api/calls")).Body["items"]!.AsArray().ShouldBeEmpty();
            fields = [("CallSid", Sid), .. fields];
        }

        var answer = await acme.Send(wire, "/webhooks/inbound", fields);

        answer.ShouldBeOk();
        (await RowSnapshot.Of(host.Rows, answer.Id)).ShouldMatchApproved(match => match
            .WithDiscriminator($"{file[..2]}-{wire}").SubFolder("../../tests/snapshots").NoDiff());
    }

    [Fact]
    public void Every_sample_that_is_a_webhook_is_played()
    {
        // What remains are answers of the provider's API (07 and 25 to 33), which are no webhooks.
        string[] answers = ["07", "25", "26", "29", "30", "31", "32", "33"];
        var played = new[] { typeof(ReceiveInboundCallTests), typeof(ProviderEvents.Tests.ReceiveProviderEventTests) }
            .SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>())
            .Select(data => data.Data[0] as string)
            .Where(file => file is not null && file.Contains('.', StringComparison.Ordinal))
            .Select(file => file![..2])
            .Concat(answers);

        Samples.All.Select(file => file[..2]).Except(played).ShouldBeEmpty();
    }

    [Fact]
    public async Task Bad_input_gets_a_clear_error_and_changes_nothing()
    {
        var acme = await host.AddOrganization();

        (await acme.Passthru(("CallFrom", "09900000001"))).ShouldBeProblem(HttpStatusCode.BadRequest, "CallSid");
        (await acme.Passthru(("CallSid", "null"))).ShouldBeProblem(HttpStatusCode.BadRequest, "CallSid");
        (await acme.Send(HttpMethod.Get, $"/webhooks/inbound?CallSid={Sid}")).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await acme.Send(HttpMethod.Get, $"/webhooks/inbound?CallSid={Sid}&token={acme.ApiKey}")).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await acme.Webhook(HttpMethod.Post, "/webhooks/inbound", Acme.Form(("CallSid", Sid), ("Filler", new string('x', 65536))))).ShouldBeProblem(HttpStatusCode.RequestEntityTooLarge);
        (await acme.Webhook(HttpMethod.Post, "/webhooks/inbound", new StringContent("--x\r\ncut off", MediaTypeHeaderValue.Parse("multipart/form-data; boundary=x")))).ShouldBeProblem(HttpStatusCode.BadRequest);
        (await acme.Webhook(HttpMethod.Head, "/webhooks/inbound")).ShouldBeOk();
        (await acme.Webhook(HttpMethod.Put, "/webhooks/inbound")).ShouldBeProblem(HttpStatusCode.MethodNotAllowed);

        (await acme.Get("/api/calls")).Body["items"]!.AsArray().ShouldBeEmpty();
    }

    [Fact]
    public async Task An_answer_is_never_a_redirect_whatever_the_path_looks_like()
    {
        var acme = await host.AddOrganization();

        ((int)(await acme.Webhook(HttpMethod.Get, $"/webhooks/inbound/?CallSid={Sid}")).Status).ShouldBe(200);
        ((int)(await acme.Webhook(HttpMethod.Get, $"/Webhooks/Inbound?CallSid={Sid}")).Status).ShouldBe(200);
    }
}
