using System.Net;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>One thing to tell the client, as the ledger and the screen name it, however often it is tried.</summary>
internal sealed record Delivery(ProviderCall Call, int Number, string Event, string? Status)
{
    /// <summary>What was done to this copy, if anything.</summary>
    public string? Mishap { get; init; }

    /// <summary>Names this copy in its own body, where several are on their way.</summary>
    public string Id => $"{Call.Sid}-{Number.ToString(System.Globalization.CultureInfo.InvariantCulture)}";

    private bool IsApplet => Event == "passthru";

    public static Delivery Of(ProviderCall call, string @event, Payload payload) => new(call, call.NextDelivery(), @event, payload.Value("Status"));

    public LedgerEntry Sent(int attempt) => Entry(IsApplet ? LedgerKind.Applet : LedgerKind.Callback, attempt);

    public LedgerEntry Answered(int attempt, HttpStatusCode? status, string? wrong) =>
        Entry(IsApplet ? LedgerKind.AppletAnswer : LedgerKind.CallbackAnswer, attempt) with { HttpStatus = (int?)status, Message = wrong };

    public string Line(int attempt, string answer) =>
        $"{(IsApplet ? "applet" : "callback"),-8} {PhoneNumber.Shortened(Call.Asked.From)}  {Event} {Status}{(attempt > 1 ? $", try {attempt}" : "")} → {answer}";

    private LedgerEntry Entry(string kind, int attempt) => Call.Entry(kind) with { Event = Event, Status = Status, Delivery = Number, Try = attempt, Mishap = Mishap };
}
