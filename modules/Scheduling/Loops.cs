using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CallOrchestration.Scheduling;

/// <summary>A loop that no error ends: it logs, backs off and goes on, since a loop that dies silently leaves every call undone.</summary>
internal abstract class Loop(SchedulerDatabase database, ILogger logger, TimeProvider time) : BackgroundService
{
    protected TimeProvider Time { get; } = time;

    /// <summary>Does one round and sleeps until the next.</summary>
    protected abstract Task RunAndSleep(CancellationToken cancellation);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The host's start does not wait for the first round.
        await Task.Yield();
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunAndSleep(stoppingToken);
                failures = 0;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                failures++;
                database.LeaveReadOnlyServer(error);
                logger.LogWarning(
                    "A round failed ({Error}), {Failures} in a row; it goes on.",
                    (error as NpgsqlException)?.SqlState ?? error.GetType().Name,
                    failures);
                await Task.Delay(Backoff.After(failures), Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}

/// <summary>Triggers due calls, and sleeps until the next one is due.</summary>
internal sealed class TriggerLoop(
    TriggerDueCalls trigger, DueSignal signal, SchedulerSettings settings, SchedulerDatabase database, ILogger<TriggerLoop> logger, TimeProvider time)
    : Loop(database, logger, time)
{
    // Something is due that could not be claimed: another host or a webhook holds its lock for a moment.
    private static readonly TimeSpan LockedForAMoment = TimeSpan.FromMilliseconds(5);

    protected override async Task RunAndSleep(CancellationToken cancellation)
    {
        var began = Time.GetTimestamp();
        var triggered = await trigger.RunOnce(signal.Listen(), cancellation);
        if (triggered.Full) return;

        var (dueAt, wait) = await trigger.NextDue(cancellation);
        var sleep = wait switch
        {
            _ when triggered.Held => settings.Interval,
            null => settings.Interval,
            { } until when until > settings.Interval => settings.Interval,
            { } until when until > TimeSpan.Zero => until,
            // What has become due since then, the claim could not find.
            { } until when triggered.Claimed > 0 || -until < Time.GetElapsedTime(began) => TimeSpan.Zero,
            _ => LockedForAMoment,
        };
        await signal.Sleep(dueAt ?? DateTime.MaxValue, sleep, cancellation);
    }
}

/// <summary>Ends overdue calls, at the interval.</summary>
internal sealed class WatchdogLoop(
    EndOverdueCalls end, SchedulerSettings settings, SchedulerDatabase database, ILogger<WatchdogLoop> logger, TimeProvider time)
    : Loop(database, logger, time)
{
    protected override async Task RunAndSleep(CancellationToken cancellation)
    {
        if ((await end.RunOnce(cancellation)).Full) await end.WaitForRoom(cancellation).WaitAsync(settings.Interval, Time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        else await Task.Delay(settings.Interval, Time, cancellation);
    }
}
