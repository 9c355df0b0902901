using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Scheduling;

/// <summary>What the module Scheduling holds: the loop that triggers due calls, and the watchdog that lets no call wait for ever.</summary>
public static class SchedulingModule
{
    /// <summary>The module's migrations: the two indexes that its loops read.</summary>
    public static IReadOnlyList<MigrationScript> MigrationScripts { get; } = MigrationScript.Of("Scheduling", typeof(SchedulingModule).Assembly);

    /// <summary>Adds both loops; they run unless <c>Scheduler__Enabled</c> is false.</summary>
    /// <exception cref="SettingException">A setting makes no sense.</exception>
    public static void AddScheduling(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = Settings.Of(builder);
        builder.Services.AddSingleton(new SchedulerSettings(
            settings.Duration("Scheduler:Interval", TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
            settings.Count("Scheduler:BatchSize", 200, 1, 5000),
            settings.Duration("Watchdog:LookUpInterval", TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))));
        builder.Services.AddSingleton<TriggerDueCalls>();
        builder.Services.AddSingleton<EndOverdueCalls>();
        if (!settings.Switch("Scheduler:Enabled", true)) return;
        builder.Services.AddHostedService<TriggerLoop>();
        builder.Services.AddHostedService<WatchdogLoop>();
    }
}

/// <param name="Interval">The longest that a loop sleeps.</param>
/// <param name="BatchSize">The most calls claimed, or ended, in one statement.</param>
/// <param name="LookUpInterval">Between two questions to the provider about a call that nobody told the end of.</param>
internal sealed record SchedulerSettings(TimeSpan Interval, int BatchSize, TimeSpan LookUpInterval);
