using System.Text.Json;
using System.Text.Json.Serialization;

namespace CallOrchestration.Simulator.Provider;

/// <summary>One line of the ledger. What a kind does not have is left out of its line.</summary>
internal sealed record LedgerEntry
{
    public DateTimeOffset At { get; init; }

    /// <summary>One of <see cref="LedgerKind"/>.</summary>
    public required string Kind { get; init; }

    public string? CallSid { get; init; }

    /// <summary>E.164, in full: the ledger is the witness, so it says who was rung. It belongs to whoever runs the simulator.</summary>
    public string? From { get; init; }
    public string? To { get; init; }
    public string? CustomField { get; init; }

    /// <summary>The client's own count, where its StatusCallback has <c>attempt</c> in the query.</summary>
    public int? Attempt { get; init; }

    /// <summary>Which dial of this number and CustomField this is, as counted here.</summary>
    public int? Dial { get; init; }
    public string? Script { get; init; }

    /// <summary>Of a callback: <c>terminal</c>, <c>answered</c>, <c>minimal</c>, <c>unknown-word</c>; of an applet: <c>passthru</c>.</summary>
    public string? Event { get; init; }
    public string? Status { get; init; }

    /// <summary>Joins a callback with its answer, within one call.</summary>
    public int? Delivery { get; init; }

    /// <summary>1, and up to 3 where deliveries fail.</summary>
    public int? Try { get; init; }

    /// <summary>Of a callback: what was done to this copy of it, if anything.</summary>
    public string? Mishap { get; init; }

    /// <summary>Talk time as told, which <c>--speed</c> does not shorten.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Of a dial or refusal: what connect answers (none where it never does). Of a callback's answer: what the client answered.</summary>
    public int? HttpStatus { get; init; }
    public string? Message { get; init; }
}

internal static class LedgerKind
{
    /// <summary>A server opened the ledger.</summary>
    public const string Start = "start";

    /// <summary>A call was accepted: from here on the phone may ring. Nothing else in the ledger means that.</summary>
    public const string Dial = "dial";

    /// <summary>A request to place a call that placed none.</summary>
    public const string Refused = "refused";

    /// <summary>Somebody asked for the call, by its details or in the list; with what was shown.</summary>
    public const string LookUp = "look-up";

    public const string End = "end";
    public const string Callback = "callback";
    public const string CallbackAnswer = "callback-answer";
    public const string Applet = "applet";
    public const string AppletAnswer = "applet-answer";
}

/// <summary>
/// What really happened, as JSON lines. Every line is on the disk before anybody can see its effect, so whatever is killed afterwards,
/// a phone that rang has its line.
/// </summary>
internal sealed class Ledger : IDisposable
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly Lock _lock = new();
    private readonly FileStream _file;
    private readonly TimeProvider _time;
    private readonly bool _durable;
    private readonly Action<LedgerEntry>? _written;

    // A second writer is kept out by a file beside it: on Unix the ledger itself could only be locked against its readers too.
    private readonly FileStream _alone;

    /// <summary>Goes on after what the file already holds.</summary>
    /// <exception cref="IOException">It cannot be written, or another server writes it.</exception>
    public Ledger(string path, TimeProvider time, bool durable = true, Action<LedgerEntry>? written = null)
    {
        (_time, _durable, _written) = (time, durable, written);
        _alone = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        DropTornLine();
    }

    public void Write(LedgerEntry entry)
    {
        lock (_lock)
        {
            var line = entry with { At = _time.GetUtcNow() };
            _file.Write([.. JsonSerializer.SerializeToUtf8Bytes(line, Json), (byte)'\n']);
            _file.Flush(flushToDisk: _durable);
            _written?.Invoke(line);
        }
    }

    /// <summary>All whole lines, also while a server writes: a last line without its end has not happened yet.</summary>
    public static IReadOnlyList<LedgerEntry> Read(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return [.. reader.ReadToEnd().Split('\n')[..^1].Select(line => JsonSerializer.Deserialize<LedgerEntry>(line, Json)!)];
    }

    public void Dispose()
    {
        _file.Dispose();
        _alone.Dispose();
    }

    // Killed in the middle of a line: nothing that it tells of was seen by anybody.
    private void DropTornLine()
    {
        var end = _file.Length;
        while (end > 0)
        {
            _file.Position = end - 1;
            if (_file.ReadByte() == '\n') break;
            end--;
        }

        _file.SetLength(end);
        _file.Position = end;
    }
}
