using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>Somebody calls us.</summary>
internal static class InboundScenarios
{
    /// <summary>The caller reaches an agent, they talk, and the last Passthru brings the length and the recording.</summary>
    public static async Task Answered(Stage stage)
    {
        var call = stage.RingsIn();
        await call.Begins();
        await call.AnAgentRings();
        await call.TheyTalkAndHangUp();
    }

    /// <summary>It rings, and nobody comes.</summary>
    public static async Task Missed(Stage stage)
    {
        var call = stage.RingsIn();
        await call.Begins();
        await stage.Live("rings", 5);
        await call.NobodyPicksUp(Wire.Multipart);
    }

    /// <summary>Agents' phones ring, which Exotel calls "busy", and the caller does not wait for them: busy was never the outcome.</summary>
    public static async Task CallerHangsUp(Stage stage)
    {
        var call = stage.RingsIn();
        await call.Begins();
        await call.AnAgentRings();
        await call.TheAgentIsFree();
        await call.AnAgentRings();
        await call.TheCallerGivesUp();
    }

    /// <summary>Nobody comes, so the caller leaves a message.</summary>
    public static async Task Voicemail(Stage stage)
    {
        var call = stage.RingsIn();
        await call.Begins();
        await call.TheCallerLeavesAMessage(Wire.UrlEncoded);
    }

    /// <summary>The caller talks to a bot and hangs up: the stream's end is the only sign that the call is over.</summary>
    public static async Task Voicebot(Stage stage)
    {
        var call = stage.RingsIn();
        await call.ReachesTheVoicebot();
        await call.TheCallerHangsUpOnTheBot();
    }

    /// <summary>The bot ends the stream to hand over. That is no end of the call: an agent takes it on.</summary>
    public static async Task VoicebotHandsOver(Stage stage)
    {
        var call = stage.RingsIn();
        await call.ReachesTheVoicebot();
        await call.TheBotHandsOver();
        await call.AnAgentRings();
        await call.TheyTalkAndHangUp(Wire.Json);
    }

    /// <summary>Several applets ask about a call nobody has heard of, in the same moment.</summary>
    public static async Task AppletsAtOnce(Stage stage)
    {
        var call = stage.RingsIn();
        await call.ReachesAppletsAtOnce(6);
        await call.TheyTalkAndHangUp();
    }
}
