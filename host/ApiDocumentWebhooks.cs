using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace CallOrchestration.Host;

/// <summary>What a webhook of the provider sends: nested in JSON; flat, with brackets in the names, in a query and in forms.</summary>
internal sealed record WebhookFacts(string About, IReadOnlyList<(string Name, Field Field)> Fields, IReadOnlyList<Example> Examples)
{
    public IEnumerable<(string Name, Field Field)> Flat => Fields.Where(sent => sent.Field.Type is JsonSchemaType.String or JsonSchemaType.Integer);

    public IEnumerable<(string Name, Field Field)> Nested => Fields.Where(sent => !HasBrackets(sent.Name));

    public IEnumerable<Example> FlatExamples => Examples.Where(example => Members(example).All(member => member.Value is JsonValue));

    public IEnumerable<Example> NestedExamples => Examples.Where(example => !Members(example).Any(member => HasBrackets(member.Key)));

    private static JsonObject Members(Example example) => JsonNode.Parse(example.Json)!.AsObject();

    private static bool HasBrackets(string name) => name.Contains('[', StringComparison.Ordinal);
}

/// <summary>
/// What Exotel sends, for the document alone: the webhooks take any field. Where its own pages and its traffic differ, this is the traffic.
/// Every number, name and recording here is made up.
/// </summary>
internal static class ApiDocumentWebhooks
{
    private const JsonSchemaType Text = JsonSchemaType.String;
    private const JsonSchemaType Whole = JsonSchemaType.Integer;
    private const string AnyForm = "In any of Exotel's forms: 0 and ten digits, +91…, 91…, ten digits, a SIP address.";

    /// <summary>A Passthru or Voicebot applet, at /webhooks/inbound.</summary>
    public static readonly WebhookFacts Applet = new(
        "The fields of a Passthru or Voicebot applet, and any others.",
        [
            ("CallSid",
                new("Exotel's name for the call, opaque. One CallSid covers both legs and every applet.",
                    Text, Example: "5d1e0c7ba2f94e68a3b7c1d0e9f8a6zq", Required: true)),
            ("CallFrom", new($"Who calls. {AnyForm}", Text, Example: "09900000001")),
            ("CallTo", new("The ExoPhone that was called.", Text, Example: "08047110000")),
            ("Direction",
                new("`incoming` or `inbound`; `outbound-dial` for a call that was placed, which never becomes an inbound one.",
                    Text, Example: "incoming")),
            ("CallType",
                new("`call-attempt` while it lives; an end is `completed`, `client-hangup`, `incomplete` (nobody picked up) or `voicemail`.",
                    Text, Example: "call-attempt")),
            ("CallStatus", new("`queued`, `ringing`, `in-progress`, or an end: `completed`, `busy`, `failed`, `no-answer`, `canceled`.", Text)),
            ("DialCallStatus",
                new("How the dialled leg ended: `completed`, `no-answer`, `busy`, `failed`, `canceled`. It decides the outcome before all others.",
                    Text)),
            ("DialCallDuration", new("Seconds, with the ringing; not taken for the talk time.", Whole)),
            ("DialWhomNumber", new("The agent's number; may be empty.", Text)),
            ("EventType", new("`answered`; or of an agent's leg `Dial` (with the Status `busy`: the phone rings) or `Terminal`.", Text)),
            ("Status", new("As CallStatus, where no EventType speaks of an agent's leg.", Text)),
            ("From", new($"Taken where CallFrom is absent. {AnyForm}", Text, Example: "09900000001")),
            ("To", new("Taken where CallTo is absent; else the number that the flow went on with.", Text, Example: "08047110000")),
            ("Created", new("When the call began, in Indian time: `Fri, 01 Jan 2027 14:30:00`.", Text, Example: "Fri, 01 Jan 2027 14:30:00")),
            ("StartTime", new("When the call began, in Indian time: `2027-01-01 14:30:00`.", Text, Example: "2027-01-01 14:30:00")),
            ("EndTime", new("When the call ended, in Indian time; `1970-01-01 05:30:00` means unknown.", Text, Example: "1970-01-01 05:30:00")),
            ("CurrentTime", new("When this was sent, in Indian time.", Text, Example: "2027-01-01 14:30:06")),
            ("RecordingUrl", new("Where Exotel keeps the recording.", Text)),
            ("digits", new("The keys that were pressed, in double quotes.", Text, Example: "\"1\"")),
            ("CustomField", new("Our own id of the call, where we placed it.", Text)),
            ("Legs[0][OnCallDuration]", new("Talk time of the first leg, in seconds.", Whole)),
            ("Legs",
                new("The legs, each with OnCallDuration; flat in a form: `Legs[0][OnCallDuration]`.",
                    JsonSchemaType.Array, Each: new(Type: JsonSchemaType.Object))),
            ("Stream[DisconnectedBy]", new("After a stream: `user` ends the call, `bot` alone does not.", Text)),
            ("Stream[Status]", new("How the stream ended.", Text)),
            ("Stream[Duration]", new("Talk time of the stream, in seconds.", Text)),
            ("Stream[RecordingUrl]", new("Where Exotel keeps the stream's recording.", Text)),
            ("Stream", new("The same, nested; in a form also as one field of JSON text.", JsonSchemaType.Object)),
        ],
        [
            new("The first request of a call",
                """
                {
                  "CallSid": "5d1e0c7ba2f94e68a3b7c1d0e9f8a6zq", "CallFrom": "09900000001", "CallTo": "08047110000", "Direction": "incoming",
                  "Created": "Fri, 01 Jan 2027 14:30:00", "DialCallDuration": 0, "StartTime": "2027-01-01 14:30:00", "EndTime": "1970-01-01 05:30:00",
                  "CallType": "call-attempt", "DialWhomNumber": "", "flow_id": "10001", "tenant_id": "2002", "From": "09900000001",
                  "To": "08047110000", "CurrentTime": "2027-01-01 14:30:06", "digits": "\"1\""
                }
                """),
            new("After the conversation",
                """
                {
                  "CallSid": "5d1e0c7ba2f94e68a3b7c1d0e9f8a6zq", "CallFrom": "09900000001", "CallTo": "08047110000", "Direction": "incoming",
                  "CallType": "completed", "DialCallStatus": "completed", "DialCallDuration": 52, "DialWhomNumber": "09900000002",
                  "RecordingUrl": "https://recordings.example.com/5d1e0c7b.mp3", "CurrentTime": "2027-01-01 14:31:07", "Legs[0][OnCallDuration]": 41
                }
                """),
            new("After a stream",
                """
                {
                  "CallSid": "5d1e0c7ba2f94e68a3b7c1d0e9f8a6zq", "CallFrom": "09900000001", "CallTo": "08047110000", "Direction": "incoming",
                  "CurrentTime": "2027-01-01 14:31:07", "Stream": { "Status": "completed", "Duration": "28", "DisconnectedBy": "user" }
                }
                """),
        ]);

    /// <summary>A status callback, at /webhooks/provider-event.</summary>
    public static readonly WebhookFacts StatusCallback = new(
        "The fields of a status callback, and any others.",
        [
            ("CallSid",
                new("Exotel's name for the attempt, opaque. Not needed where `call` or CustomField names the call.",
                    Text, Example: "8c2f61d04be7439da5f0c3b2e1d7a9xk")),
            ("Status",
                new("`queued`, `ringing`, `in-progress`, or an end: `completed`, `no-answer`, `busy`, `failed`, `canceled`.",
                    Text, Example: "completed")),
            ("EventType", new("`answered` (comes twice where there are two legs) or `terminal`; absent where no events were asked for.", Text)),
            ("DateUpdated", new("When it happened, in Indian time.", Text, Example: "2027-01-01 14:31:12")),
            ("DateCreated", new("When the call was placed, in Indian time.", Text)),
            ("StartTime", new("When the call began, in Indian time.", Text)),
            ("EndTime", new("When the call ended, in Indian time.", Text)),
            ("From", new("The number that was dialled first, in any of Exotel's forms.", Text)),
            ("To", new("The number that was dialled second.", Text)),
            ("PhoneNumberSid", new("The ExoPhone.", Text)),
            ("Direction", new("`outbound-api`.", Text)),
            ("CustomField", new("Our own id of the call; in `terminal` only.", Text)),
            ("ConversationDuration", new("Talk time, in seconds.", Whole)),
            ("RecordingUrl", new("Where Exotel keeps the recording.", Text)),
            ("Legs[0][OnCallDuration]", new("How long the first leg was up, in seconds.", Whole)),
            ("Legs[0][Status]", new("How the first leg is.", Text)),
            ("Legs[1][OnCallDuration]", new("How long the second leg was up, in seconds.", Whole)),
            ("Legs[1][Status]", new("How the second leg is; empty until it is up.", Text)),
            ("Legs",
                new("The legs, each with OnCallDuration and Status; flat in a form: `Legs[0][Status]`.",
                    JsonSchemaType.Array, Each: new(Type: JsonSchemaType.Object))),
        ],
        [
            new("No events asked for",
                """
                { "CallSid": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "Status": "completed", "DateUpdated": "2027-01-01 14:31:12" }
                """),
            new("Answered",
                """
                {
                  "CallSid": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "EventType": "answered", "Status": "in-progress",
                  "DateCreated": "2027-01-01 14:30:01", "DateUpdated": "2027-01-01 14:30:12", "From": "09900000001",
                  "To": "09900000002", "PhoneNumberSid": "08047110000",
                  "StartTime": "2027-01-01 14:30:02", "Direction": "outbound-api", "Legs[0][OnCallDuration]": 0, "Legs[0][Status]": "in-progress",
                  "Legs[1][OnCallDuration]": 0, "Legs[1][Status]": ""
                }
                """),
            new("Over",
                """
                {
                  "CallSid": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "EventType": "terminal", "Status": "completed", "DateCreated": "2027-01-01 14:30:01",
                  "DateUpdated": "2027-01-01 14:31:12", "From": "09900000001", "To": "09900000002", "PhoneNumberSid": "08047110000",
                  "StartTime": "2027-01-01 14:30:02", "EndTime": "2027-01-01 14:31:12", "ConversationDuration": 60, "Direction": "outbound-api",
                  "CustomField": "019b7600-0000-7000-8000-0000000000a1", "RecordingUrl": "https://recordings.example.com/8c2f61d0.mp3",
                  "Legs": [{ "OnCallDuration": 66, "Status": "completed" }, { "OnCallDuration": 60, "Status": "completed" }]
                }
                """),
        ]);
}
