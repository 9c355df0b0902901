using System.Diagnostics;

namespace CallOrchestration.Calls;

/// <summary>
/// Wakes this host's scheduler when the host itself has made something due earlier than what the scheduler sleeps towards. Only a
/// hint: other hosts are reached by the longest sleep (<c>Scheduler__Interval</c>).
/// </summary>
public sealed class DueSignal : IDisposable
{
    private readonly object bell = new();
    private TaskCompletionSource? sleeper;
    private long alarm;
    private bool rung;
    private bool ended;
    private DateTime? earliest;
    private long sleepsUntil = DateTime.MaxValue.Ticks;

    /// <summary>Starts the thread that watches the clock.</summary>
    public DueSignal()
    {
        // A thread that waits is woken on time. .NET's timers see the time in the kernel's ticks, mostly of 4 ms: they fire up to that much late, or early,
        // and the scheduler finds nothing. It is one thread for all sleeps: one for each cost an idle host half again as much.
        new Thread(WatchTheClock) { IsBackground = true, Name = nameof(DueSignal) }.Start();
    }

    /// <summary>Says that a call is now due at <paramref name="dueAt"/> (UTC); null: nothing is scheduled.</summary>
    public void Nudge(DateTime? dueAt)
    {
        if (dueAt is null || dueAt.Value.Ticks >= Interlocked.Read(ref sleepsUntil)) return;
        lock (bell)
        {
            if (earliest is null || dueAt < earliest) earliest = dueAt;
            Ring();
        }
    }

    /// <summary>
    /// From here on every nudge rings, until <see cref="Sleep"/> knows what it sleeps towards. Returns the earliest time (UTC) of the nudges that rang
    /// since it was last called; null: none did.
    /// </summary>
    public DateTime? Listen()
    {
        Interlocked.Exchange(ref sleepsUntil, DateTime.MaxValue.Ticks);
        lock (bell)
        {
            rung = false;
            var rang = earliest;
            earliest = null;
            return rang;
        }
    }

    /// <summary>
    /// Sleeps for <paramref name="longest"/>, or until a nudge for a time before <paramref name="until"/> (UTC), or until it is cancelled, which is no
    /// error. Only one sleeps at a time.
    /// </summary>
    public async Task Sleep(DateTime until, TimeSpan longest, CancellationToken cancellation)
    {
        Interlocked.Exchange(ref sleepsUntil, until.Ticks);
        if (longest <= TimeSpan.Zero) return;
        using var _ = cancellation.Register(Ring);
        await Slept(longest);
    }

    /// <summary>Ends the thread; whoever still sleeps wakes.</summary>
    public void Dispose()
    {
        lock (bell)
        {
            ended = true;
            Wake();
            Monitor.Pulse(bell);
        }
    }

    private Task Slept(TimeSpan longest)
    {
        lock (bell)
        {
            if (rung || ended) return Task.CompletedTask;
            sleeper = new(TaskCreationOptions.RunContinuationsAsynchronously);
            alarm = Stopwatch.GetTimestamp() + (long)(longest.TotalSeconds * Stopwatch.Frequency);
            Monitor.Pulse(bell);
            return sleeper.Task;
        }
    }

    private void Ring()
    {
        lock (bell)
        {
            rung = true;
            Wake();
        }
    }

    // With the bell's lock held.
    private void Wake()
    {
        sleeper?.SetResult();
        sleeper = null;
    }

    private void WatchTheClock()
    {
        lock (bell)
        {
            while (!ended)
            {
                // In whole milliseconds, and up: it would be cut off to less.
                var left = sleeper is null ? Timeout.Infinite : (int)Math.Ceiling((alarm - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency);
                if (sleeper is not null && left <= 0) Wake();
                else Monitor.Wait(bell, left);
            }
        }
    }
}
