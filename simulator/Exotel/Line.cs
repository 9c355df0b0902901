using System.Globalization;

namespace CallOrchestration.Simulator.Exotel;

/// <summary>One call as the provider knows it. Numbers are E.164 here; the payloads spell them as Exotel does.</summary>
internal sealed record Line(string CallSid, string Customer, string ExoPhone, DateTimeOffset Began)
{
    private const string CallSidEndings = "ghijklmnopqrstuvwxyz";

    private static readonly TimeSpan IndianStandardTime = new(5, 30, 0);

    /// <summary>32 characters that look like hex until the last one does not: nobody may parse them.</summary>
    // Never drawn from the seed: the provider never gives the same CallSid twice, so a replayed seed must not either.
    public static string NewCallSid() =>
        Guid.NewGuid().ToString("N")[..31] + CallSidEndings[Random.Shared.Next(CallSidEndings.Length)];

    /// <summary>The number as callbacks spell it, whatever spelling was dialled: a zero and ten digits.</summary>
    public static string Domestic(string e164) =>
        e164.StartsWith("+91", StringComparison.Ordinal) ? "0" + e164[3..] : e164;

    /// <summary>Indian wall-clock time, to the second, without saying so.</summary>
    public static string Clock(DateTimeOffset at) =>
        at.ToOffset(IndianStandardTime).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>The other spelling of the same clock, used by <c>Created</c>.</summary>
    public static string LongClock(DateTimeOffset at) =>
        at.ToOffset(IndianStandardTime).ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture);
}
