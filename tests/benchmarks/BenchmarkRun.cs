using CallOrchestration.Benchmarks.Cells;
using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Host;
using Spectre.Console;

namespace CallOrchestration.Benchmarks;

/// <summary>What cannot be measured, as a sentence for the person at the terminal.</summary>
internal sealed class CannotMeasureException(string message) : Exception(message);

/// <summary>One run from the start of PostgreSQL to the verdict.</summary>
internal static class BenchmarkRun
{
    public static async Task<int> Run(BenchmarkOptions options, CancellationToken cancellation)
    {
        var reports = new List<CellReport>();
        try
        {
            await using var cluster = await Cluster.Start(options, cancellation);
            var bench = new Bench(options, cluster, cancellation);
            await Screen.WriteHeading(bench);
            foreach (var name in options.Cells)
            {
                var report = new CellReport(name);
                reports.Add(report);
                Screen.WriteCell(name, Catalogue.Cells[name].What);
                await Measure(bench, report);
                Screen.Write(report);
                // After each cell: a run of hours that is interrupted keeps what it has.
                if (options.Json is { } file) await JsonReport.Write(file, bench, reports);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Stopped; nothing was left running.");
            return ExitCode.Interrupted;
        }
        catch (Exception error) when (error is CannotMeasureException or EmbeddedPostgresException)
        {
            await Console.Error.WriteLineAsync(error.Message);
            return ExitCode.TargetsMissed;
        }

        return Screen.WriteVerdict(reports) ? 0 : ExitCode.TargetsMissed;
    }

    // What keeps one cell from being measured must not take the others of a long run down with it.
    private static async Task Measure(Bench bench, CellReport report)
    {
        try
        {
            await Catalogue.Cells[report.Name].Run(bench, report);
        }
        catch (Exception error) when (error is CannotMeasureException or NpgsqlException or HttpRequestException or IOException)
        {
            report.Fault($"could not be measured: {error.Message}");
        }
    }
}
