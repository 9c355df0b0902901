namespace CallOrchestration.Calls;

/// <summary>
/// Wakes this host's scheduler when the host itself has made something due earlier than what the scheduler sleeps towards. Only a
/// hint: other hosts are reached by the longest sleep (<c>Scheduler__Interval</c>).
/// </summary>
public sealed class DueSignal
{
    private readonly object bell = new();
    private bool rung;
    private long sleepsUntil = DateTime.MaxValue.Ticks;

    /// <summary>Says that a call is now due at <paramref name="dueAt"/> (UTC); null: nothing is scheduled.</summary>
    public void Nudge(DateTime? dueAt)
    {
        if (dueAt is not null && dueAt.Value.Ticks < Interlocked.Read(ref sleepsUntil)) Ring();
    }

    /// <summary>From here on every nudge rings, until <see cref="Sleep"/> knows what it sleeps towards.</summary>
    public void Listen()
    {
        Interlocked.Exchange(ref sleepsUntil, DateTime.MaxValue.Ticks);
        lock (bell) rung = false;
    }

    /// <summary>
    /// Sleeps for <paramref name="longest"/>, or until a nudge for a time before <paramref name="until"/> (UTC), or until it is cancelled, which is no
    /// error.
    /// </summary>
    public Task Sleep(DateTime until, TimeSpan longest, CancellationToken cancellation)
    {
        Interlocked.Exchange(ref sleepsUntil, until.Ticks);
        if (longest <= TimeSpan.Zero) return Task.CompletedTask;
        // A thread that waits is woken on time. .NET's timers see the time in the kernel's ticks, mostly of 4 ms: they fire up to that much late, or early,
        // and the scheduler finds nothing.
        return Task.Factory.StartNew(
            () =>
            {
                using var _ = cancellation.Register(Ring);
                lock (bell)
                {
                    // In whole milliseconds, and up: it would be cut off to less.
                    if (!rung) Monitor.Wait(bell, (int)Math.Ceiling(longest.TotalMilliseconds));
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Ring()
    {
        lock (bell)
        {
            rung = true;
            Monitor.Pulse(bell);
        }
    }
}
