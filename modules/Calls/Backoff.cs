namespace CallOrchestration.Calls;

/// <summary>How long to wait after an error before the next try.</summary>
public static class Backoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);

    // After an outage calls are overdue, and what is waited for here is what they wait for.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(500);

    /// <summary>Doubles with each failure in a row (1 and up), to 500 ms at most; half of it is chance, so that hosts do not come back in step.</summary>
    public static TimeSpan After(int failures)
    {
        var full = Math.Min(First.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 30) - 1), Longest.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(full * (0.5 + Random.Shared.NextDouble() / 2));
    }
}
