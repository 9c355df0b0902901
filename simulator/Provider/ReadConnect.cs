using System.Globalization;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>Reads the fields of a connect as documented, with exactly their names, and says which one is wrong.</summary>
internal sealed class ReadConnect
{
    private const int LongestCustomField = 128;
    private const int LongestCallSeconds = 14400;

    // Nobody lets a phone ring longer than this, and a typing error of a client should not hold a script for a day.
    private const int LongestRingSeconds = 600;

    private static readonly string[] Known =
    [
        "From", "To", "Url", "StreamUrl", "StreamType", "CallerId", "CallType", "TimeLimit", "TimeOut", "CustomField", "StatusCallback",
        "StatusCallbackContentType", "Record", "WaitUrl", "RecordingChannels", "RecordingFormat", "MaxRetries",
    ];

    private static readonly string[] Destinations = ["To", "Url", "StreamUrl"];

    private readonly Dictionary<string, string> _fields;
    private string? _wrong;

    private ReadConnect(Dictionary<string, string> fields) => _fields = fields;

    /// <returns>The request, or null and the sentence for the client.</returns>
    public static ConnectRequest? Of(Dictionary<string, string> fields, out string wrong)
    {
        var reader = new ReadConnect(fields);
        var request = reader.Read();
        wrong = reader._wrong ?? "";
        return reader._wrong is null ? request : null;
    }

    private ConnectRequest Read()
    {
        var events = _fields.Where(field => IsEvent(field.Key)).Select(field => field.Value).ToList();
        var request = new ConnectRequest
        {
            From = Number("From") ?? Missing("From"),
            CallerId = Number("CallerId") ?? Missing("CallerId"),
            To = Value("To") is null ? null : Number("To"),
            CustomField = Value("CustomField"),
            TimeLimit = Seconds("TimeLimit", LongestCallSeconds),
            TimeOut = Seconds("TimeOut", LongestRingSeconds),
            Records = Word("Record", "true", "false") == "true",
            StatusCallback = Address("StatusCallback", "http", "https"),
            WantsAnswered = events.Contains("answered"),
            WantsTerminal = events.Contains("terminal"),
            Wire = Word("StatusCallbackContentType", "multipart/form-data", "application/json") == "application/json" ? Wire.Json : Wire.Multipart,
            Ignored = [.. _fields.Keys.Where(name => !Known.Contains(name) && !IsEvent(name))],
        };
        Destination();
        Word("CallType", "trans", "promo");
        if (request.CustomField?.Length > LongestCustomField) Wrong($"CustomField can have at most {LongestCustomField} characters");
        if (events.Find(word => word is not ("answered" or "terminal")) is { } unheard) Wrong($"StatusCallbackEvents cannot be '{unheard}'");
        if (events.Count > 0 && request.StatusCallback is null) Wrong("StatusCallbackEvents without StatusCallback");
        return request;
    }

    // Two destinations contradict each other; a stream says in two fields what it is, and both must.
    private void Destination()
    {
        string[] given = [.. Destinations.Where(name => Value(name) is not null)];
        if (given.Length == 0) Missing("To, Url or StreamUrl");
        if (given.Length > 1) Wrong($"{string.Join(" and ", given)} exclude each other");
        Address("Url", "http", "https");
        Address("StreamUrl", "ws", "wss", "http", "https");
        if (Value("StreamType") is { } type && type != "bidirectional") Wrong("StreamType can only be 'bidirectional'");
        if (Value("StreamUrl") is null != Value("StreamType") is null) Wrong("StreamUrl and StreamType=bidirectional belong together");
    }

    private static bool IsEvent(string name) => name.StartsWith("StatusCallbackEvents[", StringComparison.Ordinal) && name.EndsWith(']');

    private string? Value(string name) => _fields.TryGetValue(name, out var value) && value.Trim().Length > 0 ? value.Trim() : null;

    private string? Number(string name)
    {
        if (Value(name) is not { } text) return null;

        return PhoneNumber.E164(text) ?? Wrong($"{name} is not a phone number");
    }

    private int? Seconds(string name, int most)
    {
        if (Value(name) is not { } text) return null;
        if (int.TryParse(text, CultureInfo.InvariantCulture, out var seconds) && seconds >= 1 && seconds <= most) return seconds;

        Wrong($"{name} is not a number of seconds from 1 to {most}");
        return null;
    }

    // The first is what Exotel takes where nothing is said.
    private string Word(string name, params string[] takes)
    {
        var word = Value(name) ?? takes[0];
        return takes.Contains(word) ? word : Wrong($"{name} can only be '{string.Join("' or '", takes)}'");
    }

    private Uri? Address(string name, params string[] schemes)
    {
        if (Value(name) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && schemes.Contains(uri.Scheme)) return uri;

        Wrong($"{name} is not an absolute address ({string.Join(", ", schemes)})");
        return null;
    }

    private string Missing(string name)
    {
        // Most likely by far, and the hardest to see for oneself.
        var misspelt = _fields.Keys.FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase) && key != name);
        return Wrong($"Mandatory parameter missing: {name}{(misspelt is null ? "" : $" (names are case-sensitive: '{misspelt}' is another one)")}");
    }

    private string Wrong(string sentence)
    {
        // The first one is the cause more often than the last.
        _wrong ??= sentence;
        return "";
    }
}
