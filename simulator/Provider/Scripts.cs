using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace CallOrchestration.Simulator.Provider;

/// <summary>The table of scripts: the last four digits of the dialled number choose one.</summary>
internal static class Scripts
{
    public static readonly IReadOnlyList<Script> All =
    [
        new("0001", "completes", "answers, talks, completes"),
        new("0002", "rings-out", "rings until TimeOut: no-answer") { Ending = "no-answer" },
        new("0003", "busy", "busy") { Ending = "busy" },
        new("0004", "failed", "the network fails it: failed") { Ending = "failed" },
        new("0005", "second-attempt", "rings out; the second dial of the same CustomField answers") { RingsOutFirst = true },
        new("0006", "callback-first", "every callback comes before connect is answered (a short call)") { Connect = ConnectAnswer.AfterTheCallbacks, Short = true },
        new("0007", "cut", "accepts, then cuts the connection; completes") { Connect = ConnectAnswer.Cut },
        new("0008", "error-placed", "accepts, then answers 500; completes") { Connect = ConnectAnswer.ServerErrorThoughPlaced },
        new("0009", "throttled-once", "429 with Retry-After once, then accepts; completes") { Connect = ConnectAnswer.ThrottledOnce },
        new("0010", "do-not-disturb", "403 TRAI NDNC, not placed") { Connect = ConnectAnswer.DoNotDisturb },
        new("0011", "silent", "completes and never calls back; details know the end") { Telling = Telling.Never },
        new("0012", "twice", "completes; calls back twice, the end before the answer") { Telling = Telling.TwiceOutOfOrder },
        new("0013", "unanswered", "accepts and never answers the request; completes") { Connect = ConnectAnswer.Never },
        new("0014", "error-in-200", "accepts, and answers 200 with a RestException; completes") { Connect = ConnectAnswer.ErrorIn200 },
        new("0015", "broken-body", "accepts, and answers 200 with half a body; completes") { Connect = ConnectAnswer.BrokenBody },
        new("0016", "error", "answers 500, not placed") { Connect = ConnectAnswer.ServerError },
        new("0017", "forgotten", "rings, never calls back; details answer 404") { Telling = Telling.Never, Forgotten = true },
        new("0018", "canceled", "rings, then canceled") { Ending = "canceled" },
        new("0019", "unknown-word", "a callback with an unheard-of Status before the end; completes") { Telling = Telling.UnknownWordFirst },
        new("0020", "spoilt", "the last callback comes cut off, then in another content type, then right") { Telling = Telling.SpoiltFirst },
        new("0021", "refused", "400, not placed") { Connect = ConnectAnswer.BadRequest },
    ];

    private static readonly Dictionary<string, Script> ByNumber = All.ToDictionary(script => script.Number);

    // Of a hundred strangers. Any mix would do that has every ending often enough to be seen in a short run.
    private static readonly (int UpTo, string Number)[] Strangers = [(60, "0001"), (80, "0002"), (90, "0003"), (100, "0004")];

    /// <summary>The same for the same number and seed, in every process: a stranger keeps his habits when he is dialled again.</summary>
    public static Script For(string number, int seed)
    {
        if (ByNumber.TryGetValue(number[^4..], out var script)) return script;

        var drawn = Dice(seed, number, 0).Next(100);
        return ByNumber[Array.Find(Strangers, stranger => drawn < stranger.UpTo).Number];
    }

    /// <summary>Seeded by what is given and nothing else: <c>string.GetHashCode</c> would be new in every process.</summary>
    public static Random Dice(int seed, string number, int dial) => new(BinaryPrimitives.ReadInt32LittleEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{seed}/{number}/{dial}")))));
}
