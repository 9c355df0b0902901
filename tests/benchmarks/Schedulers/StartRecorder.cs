using System.Text.Json;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>The other end of <see cref="SchedulerProcess"/>, in a .NET process: what peers/child.mjs is in Node.</summary>
internal sealed class StartRecorder
{
    /// <summary>Jobs from this number on warm up, and are not measured.</summary>
    public const long WarmUpFrom = 1_000_000_000;

    private const int StartsInALine = 5000;
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(10);

    private readonly Lock gate = new();
    private readonly List<Start> starts = [];
    private int warm;

    /// <summary>Called by the handler, first of all.</summary>
    public void Started(long number, int attempt)
    {
        var at = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        lock (gate)
        {
            if (number >= WarmUpFrom) warm++;
            else starts.Add(new(number, attempt, at));
        }
    }

    /// <summary>Says that the work goes on, reports how far it is, and returns when the benchmark says stop or is gone.</summary>
    public async Task Serve()
    {
        Say(new { ready = true });
        // On a thread of its own: the console's asynchronous reading blocks.
        var line = Task.Factory.StartNew(Console.In.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (var told = (0, 0); !line.IsCompleted; await Task.WhenAny(line, Task.Delay(TellEvery)))
        {
            (int Measured, int Warm) now;
            lock (gate) now = (starts.Count, warm);
            if (now != told) Say(new { measured = now.Measured, warm = now.Warm });
            told = now;
        }
    }

    /// <summary>The last words, when the scheduler has stopped.</summary>
    public void TellStarts()
    {
        foreach (var some in starts.Chunk(StartsInALine))
            Say(new { starts = some.SelectMany(start => new[] { start.Number, start.Attempt, start.AtMicroseconds }) });
        Say(new { stopped = true });
    }

    private static void Say<T>(T message) => Console.WriteLine(JsonSerializer.Serialize(message));
}
