namespace CallOrchestration.Calls;

/// <summary>
/// Wakes this host's scheduler when the host itself has made something due earlier than what the scheduler sleeps towards. Only a
/// hint: other hosts are reached by the longest sleep (<c>Scheduler__Interval</c>).
/// </summary>
public sealed class DueSignal : IDisposable
{
    private readonly SemaphoreSlim bell = new(0, 1);
    private long sleepsUntil = DateTime.MaxValue.Ticks;

    /// <inheritdoc />
    public void Dispose() => bell.Dispose();

    /// <summary>Says that a call is now due at <paramref name="dueAt"/> (UTC); null: nothing is scheduled.</summary>
    public void Nudge(DateTime? dueAt)
    {
        if (dueAt is null || dueAt.Value.Ticks >= Interlocked.Read(ref sleepsUntil)) return;
        lock (bell)
        {
            if (bell.CurrentCount == 0) bell.Release();
        }
    }

    /// <summary>From here on every nudge rings, until <see cref="Sleep"/> knows what it sleeps towards.</summary>
    public void Listen()
    {
        Interlocked.Exchange(ref sleepsUntil, DateTime.MaxValue.Ticks);
        bell.Wait(0);
    }

    /// <summary>Sleeps for <paramref name="longest"/>, or until a nudge for a time before <paramref name="until"/> (UTC).</summary>
    public async Task Sleep(DateTime until, TimeSpan longest, CancellationToken cancellation)
    {
        Interlocked.Exchange(ref sleepsUntil, until.Ticks);
        // In whole milliseconds, and up: it would be cut off to less, and the scheduler wake too early and find nothing.
        await bell.WaitAsync((int)Math.Ceiling(longest.TotalMilliseconds), cancellation);
    }
}
