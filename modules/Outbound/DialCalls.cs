using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CallOrchestration.Outbound;

/// <summary>
/// Dials calls whose claim is committed, and writes down what became of each dial. A dial is made at most once for a claim; what was not
/// begun when the host stops is given back.
/// </summary>
public sealed class DialCalls : BackgroundService
{
    /// <summary>Dials that are out at once; what is claimed beyond that waits here.</summary>
    internal const int MostAtOnce = 256;

    // Results that came in while the last statement ran share the next one: a commit costs more than a row.
    private const int MostInOneRecord = 500;

    private static readonly TimeSpan LongestDial = TimeSpan.FromSeconds(10);

    private readonly Channel<Dialled> results = Channel.CreateUnbounded<Dialled>(new() { SingleReader = true });
    private readonly SemaphoreSlim lines = new(MostAtOnce);
    private readonly IDialer dialer;
    private readonly RecordDials record;
    private readonly TimeProvider time;
    private readonly ILogger<DialCalls> logger;
    private readonly CancellationToken stopping;
    private readonly TimeSpan dialTimeout;
    private readonly TimeSpan sendWithin;
    private TaskCompletionSource fewerOut = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int countOut;

    /// <summary>Made by the host.</summary>
    public DialCalls(
        IDialer dialer, SchedulerDatabase database, CallTimers timers, DueSignal due, TimeProvider time, IHostApplicationLifetime lifetime,
        ILogger<DialCalls> logger)
    {
        ArgumentNullException.ThrowIfNull(timers);
        ArgumentNullException.ThrowIfNull(lifetime);
        this.dialer = dialer;
        this.time = time;
        this.logger = logger;
        record = new(database, timers, due, time, logger);
        stopping = lifetime.ApplicationStopping;
        // The watchdog gives up after AnswerTimeout. A dial begins in the first half of it and is over by its end.
        sendWithin = timers.AnswerTimeout / 2;
        dialTimeout = sendWithin < LongestDial ? sendWithin : LongestDial;
    }

    private sealed record Dialled(DialRecord Record, TaskCompletionSource Recorded);

    /// <summary>How many calls are claimed by this host and not recorded yet.</summary>
    public int Out => Volatile.Read(ref countOut);

    /// <summary>Starts to dial; the task ends when the result of each dial has been recorded.</summary>
    public Task Start(IReadOnlyList<ClaimedCall> calls)
    {
        ArgumentNullException.ThrowIfNull(calls);
        Interlocked.Add(ref countOut, calls.Count);
        return Task.WhenAll(calls.Select(DialOne));
    }

    /// <summary>Waits until fewer than <paramref name="count"/> calls are out.</summary>
    public async Task WaitUntilFewerOut(int count, CancellationToken cancellation)
    {
        while (true)
        {
            var fewer = Volatile.Read(ref fewerOut).Task;
            if (Out < count) return;
            await fewer.WaitAsync(cancellation);
        }
    }

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // The scheduler and the API have stopped by now; what is out gets its answer and its record first.
        await WaitUntilFewerOut(1, cancellationToken);
        results.Writer.TryComplete();
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Ends with the channel and not with the token: at that moment dials may still be out.
        while (await results.Reader.WaitToReadAsync(CancellationToken.None))
        {
            var group = new List<Dialled>();
            while (group.Count < MostInOneRecord && results.Reader.TryRead(out var dialled)) group.Add(dialled);
            await record.Run([.. group.Select(dialled => dialled.Record)]);

            Interlocked.Add(ref countOut, -group.Count);
            Interlocked.Exchange(ref fewerOut, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
            foreach (var dialled in group) dialled.Recorded.SetResult();
        }
    }

    /// <inheritdoc />
    public override void Dispose()
    {
        lines.Dispose();
        base.Dispose();
    }

    private async Task DialOne(ClaimedCall call)
    {
        var recorded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var result = await Dial(call);
        results.Writer.TryWrite(new(new(call, result), recorded));
        await recorded.Task;
    }

    private async Task<DialResult> Dial(ClaimedCall call)
    {
        try
        {
            await lines.WaitAsync(stopping);
        }
        catch (OperationCanceledException)
        {
            return DialRecord.GivenBack;
        }

        try
        {
            if (stopping.IsCancellationRequested) return DialRecord.GivenBack;
            await Failpoint.Hit(Failpoint.BeforeSend);
            // A host that was frozen wakes up here, and its call may have ended meanwhile.
            if (!MayLeave()) return DialResult.NotSent.TooLate;
            using var limit = new CancellationTokenSource(dialTimeout, time);
            var signature = CallbackSignature.Of(call.CallbackSecret, call.OrganizationId, call.Id, call.Attempt);
            var request = new DialRequest(
                call.Id, call.OrganizationId, call.Attempt, call.FromNumber, call.ToNumber, call.ExoPhone, signature, call.Connect) { MayLeave = MayLeave };
            // WaitAsync besides the token: a dialler that does not heed it must not hold the line for ever.
            var result = await dialer.Dial(request, limit.Token).WaitAsync(dialTimeout + TimeSpan.FromSeconds(1), time);
            await Failpoint.Hit(Failpoint.AfterResponse);
            return result;
        }
        catch (Exception error)
        {
            // Whatever it was, the request may have left: never dialled again for this attempt. No message: it may quote the number.
            logger.LogWarning("Dial of call {CallId}, attempt {Attempt}, has no answer: {Error}", call.Id, call.Attempt, error.GetType().Name);
            return new DialResult.Unknown(error is OperationCanceledException or TimeoutException ? "timeout" : error.GetType().Name);
        }
        finally
        {
            lines.Release();
        }

        bool MayLeave() => time.GetElapsedTime(call.ClaimedAt) <= sendWithin;
    }
}
