using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Provider;
using CallOrchestration.Tests;

namespace CallOrchestration.Outbound.Tests;

public sealed class ExotelLookUpTests(TestPostgres postgres, ExotelDialerTests.Account account) : IClassFixture<ExotelDialerTests.Account>
{
    private const string Number = "+919900000001";

    // Accepted, then 500: the CallSid is lost. With callbacks that reach nobody, only the provider's list can tell. A number for each test,
    // since all of them share the account.
    private const string AcceptedWithAnError = "+919911110008";
    private const string AlsoAcceptedWithAnError = "+919922220008";

    [Fact]
    public async Task A_call_whose_name_was_lost_is_found_in_the_providers_list_by_exclusion()
    {
        await using var host = await Unreachable();
        var acme = await host.AddOrganization();
        // Another call to the same number, whose name is known, is no candidate.
        var known = await acme.CreateOutbound(AcceptedWithAnError);
        await host.Trigger();
        await account.Exotel.Quiet();
        await using (var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken))
            await connection.ExecuteAsync("update calls set provider_call_id = @sid where id = @known", new { known, sid = account.DialsOf(known).Single().CallSid });
        var lost = await acme.CreateOutbound(AcceptedWithAnError);
        await host.Trigger();
        await account.Exotel.Quiet();
        (await acme.Read(lost)).Body["provider_call_id"].ShouldBeNull();

        await ExotelDialerTests.TimeIsUp(host, lost);
        await host.EndOverdue();

        var call = await acme.Read(lost);
        (call.CallStatus, call.Outcome).ShouldBe((CallStatus.Completed, CallOutcome.Completed), call.Text);
        ((string?)call.Body["provider_call_id"]).ShouldBe(account.DialsOf(lost).Single().CallSid);
        call.Events.ShouldBe(["created", "claimed", "dial-unknown", "completed"]);
    }

    [Fact]
    public async Task Two_calls_that_could_each_be_either_are_not_guessed()
    {
        await using var host = await Unreachable();
        var acme = await host.AddOrganization();
        var ids = new[] { await acme.CreateOutbound(AlsoAcceptedWithAnError), await acme.CreateOutbound(AlsoAcceptedWithAnError) };
        await host.Trigger();
        await account.Exotel.Quiet();

        foreach (var id in ids) await ExotelDialerTests.TimeIsUp(host, id);
        await host.EndOverdue();

        foreach (var id in ids)
        {
            var call = await acme.Read(id);
            call.Outcome.ShouldBe(CallOutcome.Unknown);
            ((string?)call.Body["history"]!.AsArray()[^1]!["details"]!["reason"]).ShouldBe("more than one call could be it");
        }
    }

    [Fact]
    public async Task A_no_answer_that_only_the_providers_details_tell_is_tried_once_more()
    {
        await using var host = await Unreachable();
        var acme = await host.AddOrganization();
        var (id, _) = await acme.Dialled("+919900000002");
        await account.Exotel.Quiet();

        await ExotelDialerTests.TimeIsUp(host, id);
        await host.EndOverdue();

        var call = await acme.Read(id);
        (call.CallStatus, call.Retries).ShouldBe((CallStatus.Pending, 1));
        (await host.Trigger()).ShouldBe(1);
        await account.Exotel.Quiet();
    }

    [Fact]
    public async Task A_provider_that_cannot_be_asked_is_asked_a_few_times_and_then_the_call_is_given_up()
    {
        await using var host = await ExotelDialerTests.StartHost(postgres, new Uri("http://127.0.0.1:9"));
        var acme = await host.AddOrganization();
        var id = (await acme.Passthru(("CallSid", "silent"), ("Direction", "incoming"))).Id;

        for (var asked = 0; asked < 5; asked++)
        {
            await ExotelDialerTests.TimeIsUp(host, id);
            (await host.EndOverdue()).ShouldBe(0);
            (await acme.Read(id)).CallStatus.ShouldBe(CallStatus.InProgress);
        }

        await ExotelDialerTests.TimeIsUp(host, id);
        (await host.EndOverdue()).ShouldBe(1);
        (await acme.Read(id)).Outcome.ShouldBe(CallOutcome.Unknown);
    }

    [Theory]
    [InlineData("completed", ProviderEventKind.Ended)]
    [InlineData("no-answer", ProviderEventKind.Ended)]
    [InlineData("in-progress", ProviderEventKind.Answered)]
    public void What_the_details_tell_is_an_event(string status, ProviderEventKind kind)
    {
        var told = ExotelLookUp.Understand(Answer(HttpStatusCode.OK, new { Call = new { Sid = "a1", Status = status, Details = new { ConversationDuration = "8" } } }))
            .ShouldBeOfType<LookUpResult.Told>().News;

        (told.Kind, told.ProviderCallId, told.DurationSeconds).ShouldBe((kind, "a1", 8));
    }

    [Theory]
    [InlineData(404, typeof(LookUpResult.Nothing))]
    [InlineData(429, typeof(LookUpResult.Later))]
    [InlineData(500, typeof(LookUpResult.Later))]
    [InlineData(200, typeof(LookUpResult.Later))]
    public void What_other_answers_mean(int status, Type means) =>
        ExotelLookUp.Understand(Answer((HttpStatusCode)status, new { Call = new { Sid = "a1", Status = "queued" } })).ShouldBeOfType(means);

    [Fact]
    public async Task The_list_is_matched_by_our_own_field_or_by_exclusion_and_never_by_a_guess()
    {
        var ours = Guid.NewGuid();
        object Listed(string sid, string from = "09900000001", string? field = null, string direction = "outbound-api") =>
            new { Sid = sid, From = from, CustomField = field, Direction = direction, Status = "completed" };

        (await Sid([Listed("a")])).ShouldBe("a");
        (await Sid([Listed("a"), Listed("b")])).ShouldBeNull();
        (await Sid([Listed("a"), Listed("b")], taken: ["a"])).ShouldBe("b");
        (await Sid([Listed("a"), Listed("b", field: ours.ToString())])).ShouldBe("b");
        (await Sid([Listed("a", field: Guid.NewGuid().ToString())])).ShouldBeNull("it names another call");
        (await Sid([Listed("a", from: "09900000002")])).ShouldBeNull("it is another number");
        (await Sid([Listed("a", direction: "inbound")])).ShouldBeNull("it came in");
        (await Sid([Listed("a")], othersAreLost: true)).ShouldBeNull("it may be the other one's");
        (await Sid([Listed("a")], nextPage: "/v1/more")).ShouldBeNull("what is not seen cannot be excluded");
        // The list leaves out calls that are still going on: what is not there yet may come, and two that are there stay two.
        (await Choose([])).ShouldBeOfType<LookUpResult.Later>();
        (await Choose([Listed("a"), Listed("b")])).ShouldBeOfType<LookUpResult.Nothing>();

        async Task<string?> Sid(object[] calls, string[]? taken = null, bool othersAreLost = false, string? nextPage = null) =>
            (await Choose(calls, taken, othersAreLost, nextPage) as LookUpResult.Told)?.News.ProviderCallId;

        async Task<LookUpResult> Choose(object[] calls, string[]? taken = null, bool othersAreLost = false, string? nextPage = null)
        {
            var request = new LookUpRequest(
                ours, Number, null, DateTime.UtcNow, _ => Task.FromResult<IReadOnlySet<string>>((taken ?? []).ToHashSet()), othersAreLost);
            return await ExotelLookUp.Choose(Answer(HttpStatusCode.OK, new { Metadata = new { NextPageUri = nextPage }, Calls = calls }), request);
        }
    }

    // The callbacks of this host's calls reach nobody.
    private Task<TestHost> Unreachable() =>
        ExotelDialerTests.StartHost(postgres, account.Exotel.Address, ("Dialer:Exotel:PublicUrl", "http://127.0.0.1:9"));

    private static ExotelAnswer Answer(HttpStatusCode status, object body) =>
        new(status, null, JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(body)));
}
