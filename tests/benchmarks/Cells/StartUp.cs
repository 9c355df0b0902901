using System.Diagnostics;
using System.Net;
using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>
/// What <c>./run</c> starts once it has built: the host with its private PostgreSQL, in a directory of its own, so that the data of whoever measures is
/// left alone. The first start makes the cluster and is not measured.
/// </summary>
internal static class StartUp
{
    public static async Task Run(Bench bench, CellReport report)
    {
        var directory = Directory.CreateDirectory(Path.Combine(bench.Cluster.WorkDirectory, "start"));
        // As root, PostgreSQL runs as another user, who must get through.
        if (!OperatingSystem.IsWindows()) directory.UnixFileMode |= UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        var name = HttpContender.Product.Name;
        report.Note($"The first start, which makes the cluster and migrates, took {Screen.Number(await Seconds(bench, directory))} s.");
        const string Variant = "a later start, until /health/ready";
        await bench.Alternate([directory], async again => report.Measured(Variant, name, true, Unit.Seconds, await Seconds(bench, again)));
        report.AtMost("s until /health/ready answers 200", report.Median(Variant, name, Unit.Seconds), 3, "0.00");
    }

    private static async Task<double> Seconds(Bench bench, DirectoryInfo directory)
    {
        var port = HttpServer.FreePort();
        var start = Child.Dotnet("CallOrchestration.Host.dll", "--urls", $"http://127.0.0.1:{port}");
        start.WorkingDirectory = directory.FullName;
        var watch = Stopwatch.StartNew();
        await using var host = Child.Start("the host", start);
        try
        {
            await HttpServer.BecomesReady(host, new(IPAddress.Loopback, port), bench.Cancellation);
            return watch.Elapsed.TotalSeconds;
        }
        finally
        {
            // In good order, or its PostgreSQL would stay.
            await host.Stop();
        }
    }
}
