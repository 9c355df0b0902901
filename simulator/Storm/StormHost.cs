using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Storm;

/// <summary>How a host fares, for whoever sends it something and for the screen.</summary>
internal enum HostState
{
    Starting,
    Up,
    Frozen,
    Down,

    /// <summary>Down, and stays so.</summary>
    Dead,
}

/// <summary>One host of the storm: a process that is killed and started again, behind a proxy of its own to the database.</summary>
internal sealed class StormHost(int number, HostStart start, PostgresProxy proxy) : IAsyncDisposable
{
    // A process manager's, in life.
    private static readonly TimeSpan BeforeRestart = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim turn = new(1);
    private readonly CancellationTokenSource end = new();
    private HostProcess? process;
    private HostProcess? killed;
    private Task restarting = Task.CompletedTask;

    public int Number { get; } = number;

    public Uri Url => start.Url;

    public PostgresProxy Proxy { get; } = proxy;

    public HostState State { get; private set; } = HostState.Down;

    /// <summary>Process id; null while there is none.</summary>
    public int? ProcessId => State is HostState.Up or HostState.Frozen ? process?.Id : null;

    /// <summary>How often it was killed.</summary>
    public int Kills { get; private set; }

    /// <summary>When the present process was started.</summary>
    public DateTimeOffset Since { get; private set; }

    public async Task Start(CancellationToken cancellation)
    {
        State = HostState.Starting;
        Since = DateTimeOffset.UtcNow;
        while (true)
        {
            process = HostProcess.Launch(start);
            try
            {
                await process.Ready(cancellation);
                if (await IsUp()) return;
            }
            catch (CannotPlay) when (process.HasExited && DateTimeOffset.UtcNow - Since < TimeSpan.FromSeconds(60))
            {
                // It was killed, or the database is away just now, which ends it. As in life somebody starts it once more.
            }
            catch
            {
                process.Kill();
                await Forget();
                throw;
            }

            await Forget();
            if (State == HostState.Dead) return;
            await Task.Delay(BeforeRestart, cancellation);
        }
    }

    /// <summary>kill -9. It is started again, unless it is to stay dead.</summary>
    public async Task Kill(bool staysDead)
    {
        await turn.WaitAsync();
        try
        {
            if (State is HostState.Down or HostState.Dead || process is null) return;
            process.Kill();
            Kills++;
            var starting = State == HostState.Starting;
            State = staysDead ? HostState.Dead : starting ? HostState.Starting : HostState.Down;
            killed = process;
            // The start that is under way sees what has become of its process.
            if (starting) return;
            await Forget();
            if (!staysDead) restarting = Restart();
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Starts it again if it has ended though nobody struck it, which no host should.</summary>
    /// <returns>Whether it had.</returns>
    public async Task<bool> RaiseIfFallen()
    {
        await turn.WaitAsync();
        try
        {
            if (State != HostState.Up || process is not { HasExited: true }) return false;
            State = HostState.Down;
            await Forget();
            restarting = Restart();
            return true;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Whether it answers, and can do its work.</summary>
    public async Task<bool> IsReady(CancellationToken cancellation) => process is { } asked && await asked.IsReady(cancellation);

    /// <summary>Ends when it does not stand still, or not any more.</summary>
    public Task Thawed { get; private set; } = Task.CompletedTask;

    /// <summary>Stands still for so long, with every thread where it is.</summary>
    public async Task Freeze(TimeSpan time)
    {
        if (State != HostState.Up || process is null) return;
        var frozen = process;
        var thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        (State, Thawed) = (HostState.Frozen, thawed.Task);
        try
        {
            await frozen.Freeze();
            // It is thawed also where the storm ends meanwhile: a frozen process cannot even be asked to end.
            await Task.Delay(time, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await frozen.Thaw();
            if (process == frozen && State == HostState.Frozen) State = HostState.Up;
        }
        finally
        {
            thawed.SetResult();
        }
    }

    /// <summary>Ends when a host that was killed is up again.</summary>
    public Task Settled() => restarting;

    /// <summary>Asks it to stop, and waits.</summary>
    /// <returns>Its exit code; null where it is dead already.</returns>
    public async Task<int?> Stop()
    {
        await end.CancelAsync();
        await restarting;
        if (process is null || State == HostState.Dead) return null;
        State = HostState.Down;
        return await Forget();
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await restarting;
        // The storm is over or broken off: nothing is worth waiting for.
        process?.Kill();
        await Forget();

        await Proxy.DisposeAsync();
        turn.Dispose();
        end.Dispose();
    }

    // Asks it to end, if it has not yet, and there is no process any more that anybody could ask anything. Its exit code.
    private async Task<int?> Forget()
    {
        var ended = process;
        process = null;
        return ended is null ? null : await ended.Stop();
    }

    // False: it was killed while it started.
    private async Task<bool> IsUp()
    {
        await turn.WaitAsync();
        try
        {
            if (killed == process) return false;
            State = HostState.Up;
            return true;
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task Restart()
    {
        try
        {
            await Task.Delay(BeforeRestart, end.Token);
            await Start(end.Token);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            State = HostState.Down;
        }
    }
}
