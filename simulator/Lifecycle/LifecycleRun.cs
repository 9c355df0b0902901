using System.Diagnostics;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;
using Npgsql;
using Spectre.Console;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>One run from the first knock at the host's door to the exit code.</summary>
internal static class LifecycleRun
{
    public static async Task<int> Play(LifecycleOptions options, CancellationToken cancellation)
    {
        // The command line listens for Ctrl-C only once this has returned to it, and what is started from here on must be stopped again.
        await Task.Yield();
        var screen = Screen.ForOutput();
        try
        {
            if (options.Exotel is null)
            {
                return await Play(options, null, screen, cancellation);
            }

            await using var both = await BothSides.Start(options, screen.Console, cancellation);
            return await Play(both.Options, both, screen, cancellation);
        }
        catch (CannotPlay wrong)
        {
            await System.Console.Error.WriteLineAsync(wrong.Message);
            return ExitCode.SomethingFailed;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            var stays = options.Exotel is { HostRuns: false } ? "" : " What was played so far stays with the host.";
            await System.Console.Error.WriteLineAsync($"Interrupted.{stays}");
            return ExitCode.Interrupted;
        }
    }

    private static async Task<int> Play(LifecycleOptions options, BothSides? both, Screen screen, CancellationToken cancellation)
    {
        using var http = Connect(options);
        await using var rows = options.Database is { } database ? new CallRows(NpgsqlDataSource.Create(database)) : null;
        if (await Doorstep.WhatIsWrong(options, http, rows, cancellation) is { } wrong)
        {
            await System.Console.Error.WriteLineAsync(wrong);
            return ExitCode.SomethingFailed;
        }

        var outcome = await Play(options, both, http, rows, screen, cancellation);
        ResultTable.Write(screen.Console, outcome.Results);
        ResultTable.WriteFailures(screen.Console, outcome.Results);
        ResultTable.WriteProblems(screen.Console, outcome.Witness?.Problems ?? []);
        screen.Console.Write(new Text(outcome.Summary + "\n", new Style(outcome.AllHeld ? Color.Green : Color.Red)));
        return await WriteReport(options.Report, outcome) && outcome.AllHeld ? ExitCode.AllHeld : ExitCode.SomethingFailed;
    }

    private static async Task<LifecycleOutcome> Play(
        LifecycleOptions options, BothSides? both, HttpClient http, CallRows? rows, Screen screen, CancellationToken cancellation)
    {
        var provider = new Deliveries(http, options.WebhookToken);
        var host = new HostApi(http, options.Key);
        var stages = (both?.Scenarios ?? Scenario.All).Select(scenario => new Stage(scenario, options, host, provider, rows, cancellation)).ToList();
        screen.Console.WriteLine($"{stages.Count} {(both is null ? "scenarios" : "scripts")} against {options.Url.GetLeftPart(UriPartial.Path)}, seed {options.Seed}");

        var watch = Stopwatch.StartNew();
        var results = await screen.Watch(new Performance(stages, cancellation));
        if (both is null)
        {
            return new(results, provider.Sent, watch.Elapsed, options.Seed);
        }

        var (compared, witness) = await both.Compare(results, host, cancellation);
        return new(compared, provider.Sent, watch.Elapsed, options.Seed) { Witness = witness };
    }

    private static HttpClient Connect(LifecycleOptions options) => new(new SocketFailures(new SocketsHttpHandler
    {
        // A redirect is a wrong answer to a webhook, so none is followed. A proxy cannot know what is meant by localhost.
        AllowAutoRedirect = false,
        UseProxy = !options.Url.IsLoopback,
    }))
    {
        BaseAddress = new Uri(options.Url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/"),
        Timeout = options.Patience,
    };

    private static async Task<bool> WriteReport(FileInfo? file, LifecycleOutcome outcome)
    {
        try
        {
            if (file is not null)
            {
                await Report.Write(file, outcome);
            }

            return true;
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException)
        {
            await System.Console.Error.WriteLineAsync($"The report could not be written: {wrong.Message}");
            return false;
        }
    }
}
