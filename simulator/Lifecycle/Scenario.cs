namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>A story, the name it goes by in tables and reports, and where each of its calls must stand in the end.</summary>
internal sealed record Scenario(string Name, Ending Ending, Func<Stage, Task> Play)
{
    public static readonly IReadOnlyList<Scenario> All =
    [
        new("inbound-answered", Ending.Completed("completed"), InboundScenarios.Answered),
        new("inbound-missed", Ending.Completed("no-answer"), InboundScenarios.Missed),
        new("inbound-caller-hangs-up", Ending.Completed("canceled"), InboundScenarios.CallerHangsUp),
        new("inbound-voicemail", Ending.Completed("no-answer"), InboundScenarios.Voicemail),
        new("inbound-voicebot", Ending.Completed("completed"), InboundScenarios.Voicebot),
        new("inbound-voicebot-to-agent", Ending.Completed("completed"), InboundScenarios.VoicebotHandsOver),
        new("inbound-applets-at-once", Ending.Completed("completed"), InboundScenarios.AppletsAtOnce),
        new("outbound-answered", Ending.Completed("completed"), OutboundScenarios.Answered),
        new("no-answer-then-answered", Ending.Completed("completed", retries: 1), OutboundScenarios.NoAnswerThenAnswered),
        new("no-answer-twice", Ending.Completed("no-answer", retries: 1), OutboundScenarios.NoAnswerTwice),
        new("no-answer-then-busy", Ending.Completed("busy", retries: 1), OutboundScenarios.NoAnswerThenBusy),
        new("busy", Ending.Completed("busy"), OutboundScenarios.Busy),
        new("failed", Ending.Completed("failed"), OutboundScenarios.Failed),
        new("canceled-by-provider", Ending.Completed("canceled"), OutboundScenarios.CanceledByProvider),
        new("own-call-in-applet", Ending.Completed("completed"), OutboundScenarios.PassesAnApplet),
        new("delayed", Ending.Completed("completed"), ScheduleScenarios.Delayed),
        new("moved-later", Ending.Completed("completed"), ScheduleScenarios.MovedLater),
        new("cancelled", Ending.Completed("canceled"), ScheduleScenarios.Cancelled),
        new("cancelled-just-in-time", Ending.Completed("canceled"), ScheduleScenarios.CancelledJustInTime),
        new("started-by-hand", Ending.Completed("completed"), ScheduleScenarios.StartedByHand),
        new("same-idempotency-key", Ending.Completed("completed"), ScheduleScenarios.SameIdempotencyKey),
        new("duplicate", Ending.Completed("completed"), DeliveryScenarios.Duplicate),
        new("duplicates-at-once", Ending.Completed("completed"), DeliveryScenarios.DuplicatesAtOnce),
        new("reordered", Ending.Completed("completed"), DeliveryScenarios.Reordered),
        new("stale-callback", Ending.Completed("completed", retries: 1), DeliveryScenarios.StaleCallback),
        new("two-endings", Ending.Completed("busy"), DeliveryScenarios.TwoEndings),
        new("unknown-word-and-nulls", Ending.Completed("completed"), DeliveryScenarios.UnknownWordAndNulls),
        new("wrong-token", Ending.Completed("completed"), DeliveryScenarios.WrongToken),
    ];
}
