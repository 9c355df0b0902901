using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>What a status callback tells, for the events that were subscribed or for none.</summary>
internal static class CallbackBody
{
    /// <summary>Without subscribed events: three fields, and the recording where there is one.</summary>
    public static Payload Minimal(ProviderCall call, string status, DateTimeOffset now) => new Payload(
        ("CallSid", call.Sid),
        ("Status", status),
        ("DateUpdated", Line.Clock(now)))
        .With(Recording(call));

    /// <summary>Once for each leg that comes up, and both times with the same words but for the second leg's status.</summary>
    public static Payload Answered(ProviderCall call, int leg, DateTimeOffset now)
    {
        var payload = Event(call, "answered", "in-progress", now).With(("Legs[0][OnCallDuration]", 0), ("Legs[0][Status]", "in-progress"));
        return call.Legs == 1 ? payload : payload.With(("Legs[1][OnCallDuration]", 0), ("Legs[1][Status]", leg > 1 ? "in-progress" : ""));
    }

    /// <summary>The only event with CustomField. A second leg that never came up has the status null.</summary>
    public static Payload Terminal(ProviderCall call, DateTimeOffset now)
    {
        var state = call.State;
        var payload = Event(call, "terminal", state.Status, now).With(
            ("EndTime", Line.Clock(state.Ended ?? now)),
            ("ConversationDuration", state.TalkSeconds))
            .With(call.Asked.CustomField is { } text ? [("CustomField", text)] : [])
            .With(Recording(call))
            .With(("Legs[0][OnCallDuration]", state.FirstLegSeconds), ("Legs[0][Status]", state.Status));
        return call.Legs == 1 ? payload : payload.With(
            ("Legs[1][OnCallDuration]", state.TalkSeconds),
            ("Legs[1][Status]", state.TalkSeconds > 0 ? state.Status : null));
    }

    private static (string, object?)[] Recording(ProviderCall call) => call.RecordingUrl is { } url ? [("RecordingUrl", url)] : [];

    private static Payload Event(ProviderCall call, string eventType, string status, DateTimeOffset now) => new(
        ("CallSid", call.Sid),
        ("EventType", eventType),
        ("DateCreated", Line.Clock(call.Created)),
        ("DateUpdated", Line.Clock(now)),
        ("Status", status),
        ("To", Line.Domestic(call.To)),
        ("From", Line.Domestic(call.Asked.From)),
        ("PhoneNumberSid", Line.Domestic(call.Asked.CallerId)),
        ("StartTime", Line.Clock(call.Created)),
        ("Direction", "outbound-api"));
}
