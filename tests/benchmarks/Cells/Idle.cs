using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>What a host costs that has nothing to do.</summary>
internal static class Idle
{
    // The kernel's unit of processor time for programs: a hundredth of a second on every platform of .NET.
    private const double TicksPerSecond = 100;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(10);

    private static readonly Unit Statements = new("statements/s", false);
    private static readonly Unit Core = new("% of a core", false);
    private static readonly Unit Megabytes = new("MB", false);

    public static async Task Run(Bench bench, CellReport report)
    {
        if (!OperatingSystem.IsLinux()) throw new CannotMeasureException("The cell idle reads /proc, which only Linux has.");
        var duration = bench.Options.Scaled(Duration, Shortest);
        report.Note("Statements are the transactions that PostgreSQL counted for the database: none of these statements is in a longer one.");
        var (template, _) = await bench.TenantTemplate("calls_http", (_, _) => Task.CompletedTask);
        var (variant, name) = ($"{duration.TotalSeconds:0} s with nothing due", HttpContender.Product.Name);
        await bench.Alternate([HttpContender.Product], async contender =>
        {
            var database = await bench.Cluster.Create(template);
            try
            {
                await using var server = await HttpServer.Start(bench, contender, database);
                await Task.Delay(Settling, bench.Cancellation);
                var (statements, processor) = (await bench.Cluster.Transactions(database), ProcessorSeconds(server.Id));
                await Task.Delay(duration, bench.Cancellation);
                report.Measured(variant, name, true, Statements, (await bench.Cluster.Transactions(database) - statements) / duration.TotalSeconds);
                report.Measured(variant, name, true, Core, 100 * (ProcessorSeconds(server.Id) - processor) / duration.TotalSeconds);
                report.Measured(variant, name, true, Megabytes, ResidentMegabytes(server.Id));
            }
            finally
            {
                await bench.Cluster.Drop(database);
            }
        });
        report.AtMost("statements a second", report.Median(variant, name, Statements), 5);
        report.AtMost("% of a core", report.Median(variant, name, Core), 1, "0.00");
        report.AtMost("MB resident", report.Median(variant, name, Megabytes), 150);
    }

    // The fields after the name, which may itself hold blanks: utime and stime are the 14th and 15th of all.
    private static double ProcessorSeconds(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }

    private static double ResidentMegabytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024.0;
    }
}
