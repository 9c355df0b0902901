using System.Globalization;

namespace CallOrchestration.Calls;

/// <summary>What a message of the provider means for a call.</summary>
public enum ProviderEventKind
{
    /// <summary>Nothing that changes the status: an applet was passed, a phone rings, a word that nobody knows.</summary>
    Noted,

    /// <summary>Somebody picked up.</summary>
    Answered,

    /// <summary>The call, or this attempt of it, is over.</summary>
    Ended,
}

/// <summary>One message of the provider about one call, in our words.</summary>
public sealed record ProviderEvent
{
    /// <summary>The word that goes into the history: ours where the provider's is known, else the provider's.</summary>
    public required string Word { get; init; }

    /// <summary>What it means.</summary>
    public ProviderEventKind Kind { get; init; }

    /// <summary>How the call ended; null unless it did.</summary>
    public string? Outcome { get; init; }

    /// <summary>The provider's name for the attempt (CallSid); opaque.</summary>
    public string? ProviderCallId { get; init; }

    /// <summary>
    /// Sent by an applet that the call passes. What ends there is a flow or an agent's leg: for a call that we placed it is no end, and
    /// the status callback tells that.
    /// </summary>
    public bool FromApplet { get; init; }

    /// <summary>Our own reference: <c>?call=</c>, or the CustomField that we gave with the dial.</summary>
    public Guid? CallId { get; init; }

    /// <summary>The attempt that the callback URL was made for; null where the URL names none.</summary>
    public int? Attempt { get; init; }

    /// <summary>E.164, or as sent.</summary>
    public string? From { get; init; }

    /// <summary>E.164, or as sent.</summary>
    public string? To { get; init; }

    /// <summary>When the provider says that it happened, UTC.</summary>
    public DateTime? At { get; init; }

    /// <summary>When the provider says that the call began, UTC.</summary>
    public DateTime? StartedAt { get; init; }

    /// <summary>When the provider says that the call ended, UTC.</summary>
    public DateTime? EndedAt { get; init; }

    /// <summary>Talk time in seconds.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Where the recording is.</summary>
    public string? RecordingUrl { get; init; }

    /// <summary>Everything that was sent, as a JSON object, for the history.</summary>
    public required string Details { get; init; }

    private const int WordLength = 64;
    private const int NameLength = 128;
    private const int UrlLength = 2048;

    // Exotel's times carry no zone and are Indian ones.
    private static readonly TimeSpan IndiaStandardTime = new(5, 30, 0);

    private static readonly string[] TimeFormats = ["yyyy-MM-dd HH:mm:ss", "d MMM yyyy HH:mm:ss"];

    /// <summary>The message with the fields that mean the same in every webhook; what happened is for the webhook to say.</summary>
    public static ProviderEvent Of(ProviderRequest request, string word, ProviderEventKind kind, string? outcome)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(word);
        return new()
        {
            Word = word.Length <= WordLength ? word : word[..WordLength],
            Kind = kind,
            Outcome = outcome,
            ProviderCallId = Short(request["CallSid"], NameLength),
            CallId = Guid.TryParse(request["CustomField"], out var id) ? id : null,
            // CallFrom and CallTo are the caller and the ExoPhone; From and To may be an agent's leg.
            From = Number(request["CallFrom", "From"]),
            To = Number(request["CallTo", "To"]),
            At = Time(request["DateUpdated", "CurrentTime"]),
            StartedAt = Time(request["StartTime", "Created", "DateCreated"]),
            EndedAt = Time(request["EndTime"]),
            DurationSeconds = kind == ProviderEventKind.Ended ? TalkTime(request) : null,
            RecordingUrl = Short(request["RecordingUrl", "Stream[RecordingUrl]"], UrlLength),
            Details = request.Details(),
        };
    }

    /// <summary>One of our outcomes from a final word of the provider; null where the word is not final, or unknown.</summary>
    public static string? OutcomeOf(string? word) => Fold(word) switch
    {
        "completed" => CallOutcome.Completed,
        "no-answer" => CallOutcome.NoAnswer,
        "busy" => CallOutcome.Busy,
        "failed" => CallOutcome.Failed,
        "canceled" or "cancelled" => CallOutcome.Canceled,
        _ => null,
    };

    /// <summary>A word of the provider in the one spelling that it is compared in.</summary>
    public static string? Fold(string? word) => word?.ToLowerInvariant();

    /// <summary>
    /// UTC from either of Exotel's formats, or from a time with a zone. The epoch, which Passthru sends for every EndTime, means unknown.
    /// </summary>
    public static DateTime? Time(string? sent)
    {
        if (sent is null) return null;
        // The name of the weekday in front says nothing new.
        var text = sent[(sent.IndexOf(',', StringComparison.Ordinal) + 1)..].Trim();
        var time = DateTime.TryParseExact(text, TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var local)
            ? new DateTimeOffset(local, IndiaStandardTime)
            : Rfc3339.TryParse(text, out var zoned) ? zoned : Rfc3339.Earliest;
        return time >= Rfc3339.Earliest.AddDays(1) && time < Rfc3339.Latest ? time.UtcDateTime : null;
    }

    // DialCallDuration is left out: it counts the ringing too (Exotel, "Working with Connect applet").
    private static int? TalkTime(ProviderRequest request)
    {
        var lastLeg = Enumerable.Range(0, 10).Select(leg => request[$"Legs[{leg}][OnCallDuration]"]).LastOrDefault(leg => leg is not null);
        var sent = request["ConversationDuration"] ?? lastLeg ?? request["Stream[Duration]"];
        return double.TryParse(sent, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds < int.MaxValue ? (int)seconds : null;
    }

    private static string? Number(string? sent) => sent is null ? null : Short(PhoneNumber.Normalize(sent), NameLength);

    private static string? Short(string? text, int length) => text is null || text.Length <= length ? text : text[..length];
}
