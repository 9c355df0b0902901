using System.Text.Json;

namespace CallOrchestration.Simulator.Exotel;

/// <summary>
/// What Exotel sends, one builder for each kind of request. Each says which of the provider's habits it imitates, so that a reader can
/// tell a faithful oddity from a mistake.
/// </summary>
internal static class ExotelPayloads
{
    // Passthru never knows the end, and says so with the epoch in Indian time.
    private const string UnknownEnd = "1970-01-01 05:30:00";

    private static DateTimeOffset Now => DateTimeOffset.UtcNow;

    /// <summary>Passthru at the start of a call: no status of any kind, digits wrapped in quotes, an empty <c>DialWhomNumber</c>.</summary>
    public static Payload CallAttempt(Line line) => Passthru(line).With(
        ("CallType", "call-attempt"),
        ("DialCallDuration", "0"),
        ("DialWhomNumber", ""),
        ("digits", "\"1\""));

    /// <summary>The Voicebot applet asks where to stream to: it has neither <c>CallType</c> nor start and end times.</summary>
    public static Payload VoicebotAsks(Line line) => new(
        ("CallSid", line.CallSid),
        ("CallFrom", Line.Domestic(line.Customer)),
        ("CallTo", Line.Domestic(line.ExoPhone)),
        ("Direction", "incoming"),
        ("Created", Line.LongClock(line.Began)),
        ("DialWhomNumber", ""),
        ("HangupLatencyStartTime", ""),
        ("From", Line.Domestic(line.Customer)),
        ("To", Line.Domestic(line.ExoPhone)),
        ("CurrentTime", Line.Clock(Now)));

    /// <summary>An agent's phone starts to ring. Exotel calls that agent "busy", and it says nothing about the call.</summary>
    public static Payload AgentRings(Line line, string agent) => Agent(line, agent, "Dial", "busy");

    /// <summary>That agent's leg is over and the agent "free"; the call itself goes on.</summary>
    public static Payload AgentIsFree(Line line, string agent) => Agent(line, agent, "Terminal", "free");

    /// <summary>
    /// Passthru after a conversation. <c>To</c> is the number the flow went out on and not the ExoPhone (that is <c>CallTo</c>); the dial
    /// lasted longer than the talk, which only the leg tells; two fields are the word "null".
    /// </summary>
    public static Payload ConversationOver(Line line, string agent, int talkSeconds, int ringSeconds, string recordingUrl) =>
        AfterConnect(line, agent, "completed", "completed").With(
            ("DialCallDuration", $"{ringSeconds + talkSeconds}"),
            ("RecordingUrl", recordingUrl),
            ("RecordingAvailableBy", Line.LongClock(Now.AddMinutes(5))),
            ("Legs[0][Number]", Line.Domestic(agent)),
            ("Legs[0][Type]", "single"),
            ("Legs[0][OnCallDuration]", $"{talkSeconds}"),
            ("Legs[0][CallerId]", Line.Domestic(line.ExoPhone)),
            ("Legs[0][CauseCode]", "NORMAL_CLEARING"),
            ("Legs[0][Cause]", "16"));

    /// <summary>Passthru after an agent let it ring: <c>incomplete</c>, with the reason in <c>DialCallStatus</c> and in the leg's cause.</summary>
    public static Payload NobodyPickedUp(Line line, string agent) =>
        AfterConnect(line, agent, "incomplete", "no-answer").With(
            ("DialCallDuration", "0"),
            ("Legs[0][Number]", Line.Domestic(agent)),
            ("Legs[0][Type]", "single"),
            ("Legs[0][OnCallDuration]", "0"),
            ("Legs[0][CallerId]", Line.Domestic(line.ExoPhone)),
            ("Legs[0][CauseCode]", "RING_TIMEOUT"),
            ("Legs[0][Cause]", "1003"));

    /// <summary>The caller gave up while it rang: <c>client-hangup</c> is the only word about it.</summary>
    public static Payload CallerGaveUp(Line line) => Passthru(line).With(
        ("CallType", "client-hangup"),
        ("DialCallDuration", "0"),
        ("DialWhomNumber", ""));

    /// <summary>The caller left a message after nobody came.</summary>
    public static Payload Voicemail(Line line, string recordingUrl) => Passthru(line).With(
        ("CallType", "voicemail"),
        ("RecordingUrl", recordingUrl),
        ("DialWhomNumber", ""));

    /// <summary>Passthru after a stream, as nested keys: who hung up decides whether the flow can go on.</summary>
    public static Payload StreamOver(Line line, string disconnectedBy, int seconds, string recordingUrl) => Passthru(line).With(
        ("CallType", "call-attempt"),
        ("Stream[StreamSID]", line.CallSid[..16]),
        ("Stream[Status]", "completed"),
        ("Stream[Duration]", $"{seconds}"),
        ("Stream[RecordingUrl]", recordingUrl),
        ("Stream[DisconnectedBy]", disconnectedBy));

    /// <summary>The same told in the other way that Exotel has: one field, holding JSON as text.</summary>
    public static Payload StreamOverInOneField(Line line, string disconnectedBy, int seconds) => Passthru(line).With(
        ("CallType", "call-attempt"),
        ("Stream", JsonSerializer.Serialize(new
        {
            StreamSID = line.CallSid[..16],
            Status = "completed",
            Duration = $"{seconds}",
            DisconnectedBy = disconnectedBy,
        })));

    /// <summary>
    /// A call that we placed passes an applet of its flow. It looks like an inbound call but for <c>Direction</c>, and <c>CustomField</c>
    /// comes along only when the flow hands it on.
    /// </summary>
    public static Payload OwnCallPassesAnApplet(Line line, Guid? customField) => new Payload(
        ("CallSid", line.CallSid),
        ("CallFrom", Line.Domestic(line.Customer)),
        ("CallTo", Line.Domestic(line.ExoPhone)),
        ("Direction", "outbound-dial"),
        ("Created", Line.LongClock(line.Began)),
        ("CallType", "call-attempt"),
        ("From", Line.Domestic(line.Customer)),
        ("To", Line.Domestic(line.ExoPhone)),
        ("CurrentTime", Line.Clock(Now)))
        .With(customField is { } id ? [("CustomField", id.ToString())] : []);

    /// <summary>The status callback when no events were subscribed: three fields, nothing that leads to our call but the CallSid.</summary>
    public static Payload Bare(Line line, string? status) => new(
        ("CallSid", line.CallSid),
        ("Status", status),
        ("DateUpdated", Line.Clock(Now)));

    /// <summary>
    /// The <c>answered</c> event: once for each leg, with the same CallSid, EventType and Status. It has no CustomField, and the second
    /// leg's status is empty until that leg is up.
    /// </summary>
    public static Payload Answered(Line line, int leg) => Event(line, "answered", "in-progress").With(
        ("Legs[0][OnCallDuration]", 0),
        ("Legs[0][Status]", "in-progress"),
        ("Legs[1][OnCallDuration]", 0),
        ("Legs[1][Status]", leg > 1 ? "in-progress" : ""));

    /// <summary>
    /// The <c>terminal</c> event: the only one with CustomField. The first leg was up while the second one rang, so its duration is no
    /// talk time; a leg that never came up has the status null.
    /// </summary>
    public static Payload Terminal(Line line, Guid customField, string status, int talkSeconds = 0, string? recordingUrl = null)
    {
        var talked = talkSeconds > 0;
        return Event(line, "terminal", status).With(
            ("EndTime", Line.Clock(Now)),
            ("ConversationDuration", talkSeconds),
            ("CustomField", customField.ToString()),
            ("RecordingUrl", recordingUrl),
            ("Legs[0][OnCallDuration]", talked ? talkSeconds + 6 : 0),
            ("Legs[0][Status]", status),
            ("Legs[1][OnCallDuration]", talkSeconds),
            ("Legs[1][Status]", talked ? "completed" : null));
    }

    private static Payload Passthru(Line line) => new(
        ("CallSid", line.CallSid),
        ("CallFrom", Line.Domestic(line.Customer)),
        ("CallTo", Line.Domestic(line.ExoPhone)),
        ("Direction", "incoming"),
        ("Created", Line.LongClock(line.Began)),
        ("StartTime", Line.Clock(line.Began)),
        ("EndTime", UnknownEnd),
        ("flow_id", "11754"),
        ("tenant_id", "1409"),
        ("From", Line.Domestic(line.Customer)),
        ("To", Line.Domestic(line.ExoPhone)),
        ("CurrentTime", Line.Clock(Now)));

    private static Payload AfterConnect(Line line, string agent, string callType, string dialCallStatus) => new(
        ("CallSid", line.CallSid),
        ("CallFrom", Line.Domestic(line.Customer)),
        ("CallTo", Line.Domestic(line.ExoPhone)),
        ("Direction", "incoming"),
        ("ForwardedFrom", null),
        ("Created", Line.LongClock(line.Began)),
        ("StartTime", Line.Clock(line.Began)),
        ("EndTime", UnknownEnd),
        ("DialCallStatus", dialCallStatus),
        ("CallType", callType),
        ("DialWhomNumber", Line.Domestic(agent)),
        ("ProcessStatus", null),
        ("From", Line.Domestic(line.Customer)),
        ("To", OutgoingPhone),
        ("OutgoingPhoneNumber", OutgoingPhone),
        ("CurrentTime", Line.Clock(Now)));

    private static Payload Agent(Line line, string agent, string eventType, string status) => new(
        ("CallSid", line.CallSid),
        ("CallFrom", Line.Domestic(line.Customer)),
        ("CallTo", Line.Domestic(line.ExoPhone)),
        ("Direction", "incoming"),
        ("Created", Line.LongClock(line.Began)),
        ("From", Line.Domestic(line.Customer)),
        ("To", OutgoingPhone),
        ("CurrentTime", Line.Clock(Now)),
        ("DialWhomNumber", Line.Domestic(agent)),
        ("Status", status),
        ("EventType", eventType),
        ("AgentEmail", "agent@example.com"));

    private static Payload Event(Line line, string eventType, string status) => new(
        ("CallSid", line.CallSid),
        ("EventType", eventType),
        ("DateCreated", Line.Clock(line.Began)),
        ("DateUpdated", Line.Clock(Now)),
        ("Status", status),
        ("From", Line.Domestic(line.Customer)),
        ("To", OutgoingPhone),
        ("PhoneNumberSid", Line.Domestic(line.ExoPhone)),
        ("StartTime", Line.Clock(line.Began)),
        ("Direction", "outbound-api"));

    // The second number of a call is some other line of the same account, never one that the host knows.
    private const string OutgoingPhone = "08047119999";
}
