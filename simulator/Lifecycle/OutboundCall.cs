using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>
/// The host calls somebody. Its dialler accepts by itself; from then on the provider's side is played here, callback by callback.
/// </summary>
internal sealed class OutboundCall : PlayedCall
{
    // A retry that comes sooner than this is awaited; one that comes later is pulled forward, since nobody watches for minutes.
    private static readonly TimeSpan LongestWaitForARetry = TimeSpan.FromSeconds(10);

    private readonly OutboundRequest _request;
    private DateTimeOffset? _dueAt;

    public OutboundCall(Stage stage, OutboundRequest request, CallView created) : base(stage, request.Customer)
    {
        _request = request;
        Id = created.Id;
        _dueAt = created.NextActionAt;
        stage.Note("created");
        stage.Enter(this);
        Stage.Holds(created.Status == "PENDING", "a new call is PENDING", created.Status);
    }

    public override string Direction => "OUTBOUND";
    public override string From => ExoPhone;
    public override string To => Customer;
    public override int AcceptedDials => CallSids.Count;
    public JsonObject Metadata => _request.Metadata;

    /// <summary>The attempt that is under way.</summary>
    public Line Line { get; private set; } = null!;

    public async Task IsDialled()
    {
        var call = await Stage.Until(
            Id,
            "the call is dialled",
            call => call is { Status: "IN_PROGRESS", ProviderCallId: { } sid } && !CallSids.Contains(sid),
            _dueAt);
        Stage.Note("dialled");
        Stage.Holds(
            _dueAt is null || call.StartedAt >= _dueAt,
            $"never dialled before {_dueAt:HH:mm:ss.fff}", $"started_at {call.StartedAt:HH:mm:ss.fff}");
        CallSids.Add(call.ProviderCallId!);
        Line = NewLine(call.ProviderCallId!);
    }

    public Task Rings() => Stage.Live("rings", Stage.Faker.Random.Int(2, 5));

    public async Task Answers(Wire wire = Wire.Multipart)
    {
        await Tell("answered", ExotelPayloads.Answered(Line, leg: 1), wire, applied: true, "IN_PROGRESS");
        WasAnswered = true;
    }

    /// <summary>The second leg's <c>answered</c> looks like a repetition of the first, and is one to the host.</summary>
    public Task SecondLegAnswers(Wire wire = Wire.Multipart) =>
        Tell("answered", ExotelPayloads.Answered(Line, leg: 2), wire, applied: false, "IN_PROGRESS");

    public async Task Talks()
    {
        TalkSeconds = Stage.Faker.Random.Int(15, 40);
        await Stage.Live("they talk", TalkSeconds.Value);
    }

    /// <summary>The full <c>terminal</c> event after a conversation, with its length and recording.</summary>
    public async Task Completes(Wire wire = Wire.Multipart)
    {
        TalkSeconds ??= 20;
        RecordingUrl = Stage.MadeUpRecording();
        await Tell("completed", Completion(), wire, applied: true, "COMPLETED");
    }

    public Payload Completion() => ExotelPayloads.Terminal(Line, Id, "completed", TalkSeconds ?? 0, RecordingUrl);

    public Payload Terminal(string word) => ExotelPayloads.Terminal(Line, Id, word);

    public Payload Bare(string? word) => ExotelPayloads.Bare(Line, word);

    public Task EndsWith(string word, Payload payload, Wire wire = Wire.Multipart) => Tell(word, payload, wire, applied: true, "COMPLETED");

    public Task RingsOut(Payload payload, Wire wire = Wire.Multipart) => Tell("no-answer", payload, wire, applied: true, "PENDING");

    /// <summary>Says something that must change nothing.</summary>
    public Task SaysInVain(string played, Payload payload, Wire wire = Wire.Multipart, string? status = null) =>
        Tell(played, payload, wire, applied: false, status);

    /// <summary>An applet of the flow asks about this call, as if it were an inbound one.</summary>
    public async Task PassesAnApplet(bool withCustomField)
    {
        Stage.Note("passes an applet");
        var payload = ExotelPayloads.OwnCallPassesAnApplet(Line, withCustomField ? Id : null);
        var reply = await Stage.Provider.Applet(payload, Wire.Query, Stage.Cancellation);
        MustBe(reply, $"the applet {(withCustomField ? "with" : "without")} CustomField", Id, "IN_PROGRESS", null);
    }

    /// <summary>After the first no-answer: not in progress any more, and due once again, at a time of the host's choosing.</summary>
    public async Task IsDueAgain()
    {
        var call = await Stage.Host.Get(Id, Stage.Cancellation);
        if (call is { Status: "PENDING" })
        {
            Stage.Holds(call.ProviderCallId is null, "no provider_call_id while PENDING", $"{call.ProviderCallId}");
            Stage.Holds(call.NextActionAt is not null, "a time for the retry", "next_action_at null");
        }

        Stage.Holds(call.Retries == 1, "retries 1 after a no-answer", $"retries {call.Retries}");
        _dueAt = call.Status == "PENDING" ? call.NextActionAt : null; // a very short delay may be over already
    }

    /// <summary>The retry comes by itself if that is soon, or is pulled forward.</summary>
    public async Task IsDialledAgain()
    {
        if (_dueAt > DateTimeOffset.UtcNow + LongestWaitForARetry)
        {
            await MovesTo(DateTimeOffset.UtcNow);
            Stage.Note("pulled forward");
        }

        await IsDialled();
    }

    public async Task MovesTo(DateTimeOffset nextActionAt)
    {
        var call = (await Patch(new JsonObject { ["next_action_at"] = nextActionAt })).As<CallView>(HttpStatusCode.OK);
        _dueAt = call.Status == "PENDING" ? call.NextActionAt : null;
    }

    public Task<ApiReply> Patch(JsonObject change) => Stage.Host.Patch(Id, change, Stage.Cancellation);

    public async Task WasClaimedBy(string source)
    {
        var claims = (await Now()).History?.Where(entry => entry.Event == "claimed").Select(entry => entry.Source).ToList() ?? [];
        Stage.Holds(claims is [var only] && only == source, $"one claim, by {source}", claims.Count == 0 ? "none" : string.Join(", ", claims));
    }

    public Task<CallView> Now() => Stage.Host.Get(Id, Stage.Cancellation);

    /// <summary>One callback, whose answer must say what became of it.</summary>
    private async Task Tell(string played, Payload payload, Wire wire, bool applied, string? status)
    {
        Stage.Doing = $"tells {played}";
        MustBe(await Say(played, payload, wire), $"'{played}'", Id, status, applied);
    }

    /// <summary>One callback; the reply is for the story to judge.</summary>
    public Task<WebhookReply> Say(string played, Payload payload, Wire wire)
    {
        Stage.Note(played);
        if (payload.Word is { } word)
        {
            Words.Add(word);
        }

        return Stage.Provider.StatusCallback(payload, wire, Stage.Cancellation);
    }
}
