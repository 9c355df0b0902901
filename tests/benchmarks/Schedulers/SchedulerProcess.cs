using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>A job, seen in the handler that dials.</summary>
/// <param name="Number">Which job.</param>
/// <param name="Attempt">1 for the first.</param>
/// <param name="AtMicroseconds">When, since 1970, by this machine's clock.</param>
internal readonly record struct Start(long Number, int Attempt, long AtMicroseconds);

/// <summary>
/// A process with a scheduler in it, the product's or a peer's. All speak alike: a JSON line when they work, one now and then with how many
/// jobs were started, and at the line <c>stop</c> each single start.
/// </summary>
/// <param name="name">How it is called in messages.</param>
/// <param name="start">What to run.</param>
/// <param name="heard">Released at each of its lines: who waits for something need not look again and again, beside what is measured.</param>
internal sealed class SchedulerProcess(string name, ProcessStartInfo start, SemaphoreSlim heard) : Child(name, start)
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<Start> starts = new();
    private volatile bool ready;
    private volatile bool stopped;
    private int measured;
    private int warm;

    /// <summary>How many of the jobs that count were started.</summary>
    public int Measured => Volatile.Read(ref measured);

    /// <summary>How many of those were started that only warm up.</summary>
    public int Warm => Volatile.Read(ref warm);

    public Task Ready(CancellationToken cancellation) => Until(() => ready, "did not start", cancellation);

    /// <summary>Stops the work; every start.</summary>
    public async Task<IReadOnlyCollection<Start>> Starts(CancellationToken cancellation)
    {
        Send("stop");
        await Until(() => stopped, "did not stop", cancellation);
        return starts;
    }

    protected override void Heard(string line)
    {
        using var message = JsonDocument.Parse(line);
        foreach (var field in message.RootElement.EnumerateObject())
        {
            switch (field.Name)
            {
                case "ready": ready = true; break;
                case "stopped": stopped = true; break;
                case "measured": Volatile.Write(ref measured, field.Value.GetInt32()); break;
                case "warm": Volatile.Write(ref warm, field.Value.GetInt32()); break;
                case "starts":
                    foreach (var three in field.Value.EnumerateArray().Select(value => value.GetInt64()).Chunk(3))
                        starts.Enqueue(new(three[0], (int)three[1], three[2]));
                    break;
            }
        }

        heard.Release();
    }

    private async Task Until(Func<bool> condition, string otherwise, CancellationToken cancellation)
    {
        for (var waited = Stopwatch.StartNew(); !condition(); await Task.Delay(BetweenLooks, cancellation))
        {
            // The last lines of a process that has ended may still be on their way.
            if (HasEnded && waited.Elapsed > TimeSpan.FromSeconds(1)) MustRun();
            if (waited.Elapsed > LongestStart) throw new CannotMeasureException($"{Name} {otherwise} within {LongestStart.TotalSeconds:0} s.");
        }
    }
}
