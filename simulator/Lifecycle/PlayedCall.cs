using System.Net;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>A call of a scenario, and what must be found of it in the end because it was played.</summary>
internal abstract class PlayedCall(Stage stage, string customer)
{
    // The demonstration's own number. Callbacks of outbound calls name it, and inbound calls ring it.
    public const string ExoPhone = "+918047110000";

    protected Stage Stage { get; } = stage;

    public string Customer { get; } = customer;

    /// <summary>Empty until the host has told it.</summary>
    public Guid Id { get; protected set; }

    public abstract string Direction { get; }
    public abstract string From { get; }
    public abstract string To { get; }

    /// <summary>The CallSid of each attempt, in order.</summary>
    public List<string> CallSids { get; } = [];

    public int? TalkSeconds { get; protected set; }
    public string? RecordingUrl { get; protected set; }
    public bool WasAnswered { get; protected set; }

    /// <summary>The provider's words that the history must hold.</summary>
    public HashSet<string> Words { get; } = [];

    /// <summary>The end of the id: the start is the time, and the same for all calls of a run.</summary>
    public string ShortId => Id == Guid.Empty ? "–" : Id.ToString("N")[^6..];

    /// <summary>How many dials the host must have seen accepted, one for each attempt.</summary>
    public virtual int AcceptedDials => 0;

    /// <summary>Whether the host could know when this call began and ended.</summary>
    public virtual bool HasTimes => true;

    protected Line NewLine(string callSid) => new(callSid, Customer, ExoPhone, DateTimeOffset.UtcNow);

    protected static void MustBe(WebhookReply reply, string what, Guid? callId, string? status, bool? applied)
    {
        Stage.Holds(reply.HttpStatus == HttpStatusCode.OK, $"{what} is answered 200", ErrorAnswer.Describe(reply.HttpStatus, reply.Body));
        Stage.Holds(reply.CallId is not null, $"{what} is answered with call_id", Shorten(reply.Body));
        Stage.Holds(callId is null || reply.CallId == callId, $"{what} belongs to call {callId}", $"call_id {reply.CallId}");
        Stage.Holds(status is null || reply.Status == status, $"{what} leaves the call {status}", $"{reply.Status}");
        Stage.Holds(applied is null || reply.Applied == applied, $"{what} is answered applied: {Word(applied)}", $"applied: {Word(reply.Applied)}");
    }

    private static string Word(bool? value) => value is { } known ? known ? "true" : "false" : "missing";

    private static string Shorten(string body) => body.Length > 200 ? body[..200] + "…" : body;
}
