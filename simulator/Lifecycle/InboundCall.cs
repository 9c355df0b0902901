using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>Somebody calls us. The provider asks the host at each applet of the call flow.</summary>
internal sealed class InboundCall : PlayedCall
{
    private readonly string _agent;

    public InboundCall(Stage stage) : base(stage, stage.MadeUpNumber())
    {
        _agent = stage.MadeUpNumber();
        Line = NewLine(Exotel.Line.NewCallSid());
        CallSids.Add(Line.CallSid);
        stage.Enter(this);
    }

    public Line Line { get; }

    public override string Direction => "INBOUND";
    public override string From => Customer;
    public override string To => ExoPhone;

    public Task Begins() => Passes("call-attempt", ExotelPayloads.CallAttempt(Line));

    public Task ReachesTheVoicebot() => Passes("voicebot", ExotelPayloads.VoicebotAsks(Line));

    public async Task AnAgentRings()
    {
        await Passes("agent rings (busy)", ExotelPayloads.AgentRings(Line, _agent));
        await Stage.Live("an agent's phone rings", Stage.Faker.Random.Int(3, 6));
    }

    public Task TheAgentIsFree() => Passes("agent free", ExotelPayloads.AgentIsFree(Line, _agent));

    public async Task TheyTalkAndHangUp(Wire wire = Wire.Query)
    {
        TalkSeconds = Stage.Faker.Random.Int(15, 40);
        RecordingUrl = Stage.MadeUpRecording();
        await Stage.Live("they talk", TalkSeconds.Value);
        await Passes("completed", ExotelPayloads.ConversationOver(Line, _agent, TalkSeconds.Value, 5, RecordingUrl), wire, "COMPLETED");
    }

    public Task NobodyPicksUp(Wire wire = Wire.Query) => Passes("incomplete", ExotelPayloads.NobodyPickedUp(Line, _agent), wire, "COMPLETED");

    public Task TheCallerGivesUp(Wire wire = Wire.Query) => Passes("client-hangup", ExotelPayloads.CallerGaveUp(Line), wire, "COMPLETED");

    public async Task TheCallerLeavesAMessage(Wire wire = Wire.Query)
    {
        RecordingUrl = Stage.MadeUpRecording();
        await Stage.Live("the caller speaks to the machine", 12);
        await Passes("voicemail", ExotelPayloads.Voicemail(Line, RecordingUrl), wire, "COMPLETED");
    }

    public async Task TheCallerHangsUpOnTheBot()
    {
        TalkSeconds = Stage.Faker.Random.Int(15, 40);
        RecordingUrl = Stage.MadeUpRecording();
        await Stage.Live("the caller talks to the bot", TalkSeconds.Value);
        await Passes("stream ended by user", ExotelPayloads.StreamOver(Line, "user", TalkSeconds.Value, RecordingUrl), Wire.Query, "COMPLETED");
    }

    public async Task TheBotHandsOver()
    {
        await Stage.Live("the caller talks to the bot", 10);
        await Passes("stream ended by bot", ExotelPayloads.StreamOverInOneField(Line, "bot", 10));
    }

    /// <summary>The same CallSid at several applets in the same moment: the first to come makes the call, and there is one.</summary>
    public async Task ReachesAppletsAtOnce(int times)
    {
        Stage.Doing = "applets at once";
        var ids = await Task.WhenAll(Enumerable.Range(0, times).Select(_ => Passes("call-attempt", ExotelPayloads.CallAttempt(Line))));
        Stage.Holds(ids.Distinct().Count() == 1, "one call for one CallSid", $"{ids.Distinct().Count()} calls");
    }

    private async Task<Guid> Passes(string played, Payload payload, Wire wire = Wire.Query, string status = "IN_PROGRESS")
    {
        Stage.Note(played);
        var reply = await Stage.Provider.Applet(payload, wire, Stage.Cancellation);
        MustBe(reply, $"'{played}'", Id == Guid.Empty ? null : Id, status, null);
        return Id = reply.CallId!.Value;
    }
}
