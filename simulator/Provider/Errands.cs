namespace CallOrchestration.Simulator.Provider;

/// <summary>What goes on after a request was answered: calls being played, deliveries waiting for their next try.</summary>
internal sealed class Errands(Action<string> say) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private int _running;
    private TaskCompletionSource _quiet = Done();

    public CancellationToken Stopping => _stop.Token;

    /// <returns>Ends with the errand, and never fails.</returns>
    public Task Run(Func<CancellationToken, Task> errand)
    {
        lock (_lock)
        {
            if (_running++ == 0) _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return Task.Run(() => Finish(errand));
    }

    /// <summary>Ends when nothing is under way. An errand that begins another has begun it before it ends itself.</summary>
    public Task Quiet()
    {
        lock (_lock) return _quiet.Task;
    }

    public async Task Stop()
    {
        await _stop.CancelAsync();
        await Quiet();
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        _stop.Dispose();
    }

    private async Task Finish(Func<CancellationToken, Task> errand)
    {
        try
        {
            await errand(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The server goes; whoever waits for this call will hear nothing more, as with a provider that is down.
        }
        catch (Exception broken)
        {
            // Nobody has to await an errand, so this is the only place that can tell of it.
            say($"error: {broken.Message}");
        }
        finally
        {
            lock (_lock)
            {
                if (--_running == 0) _quiet.SetResult();
            }
        }
    }

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }
}
