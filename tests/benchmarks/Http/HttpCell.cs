using System.Text;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Http;

/// <summary>The load of one measurement.</summary>
/// <param name="Next">The next request of a connection.</param>
/// <param name="Expected">The status that counts.</param>
/// <param name="Mark">Must be in each answer.</param>
/// <param name="Duration">Null: until the requests are used up.</param>
internal sealed record Load(Func<int, byte[]?> Next, int Expected, string? Mark = null, TimeSpan? Duration = null);

/// <summary>What the cells over HTTP have in common: a fresh database, a server of its own, a load that warms up, and the load that counts.</summary>
internal static class HttpCell
{
    /// <summary>Long enough for every runtime to have compiled itself: after two seconds .NET still spends a tenth of the processors on that.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(12);

    /// <summary>Where the figures of latency stand, beside those of the rate.</summary>
    public static string P99(string variant) => $"{variant}, p99";

    /// <summary>Runs every contender and notes rate and p99.</summary>
    /// <param name="bench">The bench.</param>
    /// <param name="report">Gets the figures.</param>
    /// <param name="variant">Under which circumstances.</param>
    /// <param name="template">Of the database.</param>
    /// <param name="prepare">Makes the loads, to warm up and to count, on the database of one run.</param>
    /// <param name="check">What the database must show at the end, given how many requests were answered; a fault, or null.</param>
    public static Task Measure(
        Bench bench, CellReport report, string variant, string template,
        Func<string, Task<(Load WarmUp, Load Counts)>> prepare, Func<NpgsqlConnection, int, Task<string?>> check) =>
        bench.Alternate(bench.Chosen(HttpContender.All, HttpContender.Product), async contender =>
        {
            var database = await bench.Cluster.Create(template);
            try
            {
                var (warmUp, counts) = await prepare(database);
                await using var server = await HttpServer.Start(bench, contender, database);
                var warmed = await Run(bench, server, warmUp);
                if (bench.Options.Trace && contender.IsOurs) await Tracing.Begin(database);
                var result = await Run(bench, server, counts);
                if (bench.Options.Trace && contender.IsOurs) await Tracing.Tell(database);

                await using var connection = new NpgsqlConnection(database);
                foreach (var (what, times) in warmed.Unexpected.Concat(result.Unexpected)) report.Fault($"{contender.Name}, {variant}: {times} × {what}");
                if (await check(connection, warmed.Requests + result.Requests) is { } fault) report.Fault($"{contender.Name}, {variant}: {fault}");

                var p99 = result.Latencies.Percentile(99);
                report.Measured(variant, contender.Name, contender.IsOurs, Unit.RequestsPerSecond, result.Rate);
                var p50 = $"p50 {Screen.Number(result.Latencies.Median())} ms";
                report.Measured(P99(variant), contender.Name, contender.IsOurs, Unit.Milliseconds, p99, p50);
                Bench.Tell($"{variant}: {contender.Name} {Screen.Number(result.Rate)} requests/s, p99 {Screen.Number(p99)} ms");
            }
            finally
            {
                await bench.Cluster.Drop(database);
            }
        });

    /// <summary>Ahead of Fastify in its best configuration by so much.</summary>
    public static void Judge(CellReport report, string variant, double times, bool latencyToo)
    {
        var (ours, best) = (HttpContender.Product.Name, HttpContender.FastifyBest.Name);
        report.AtLeast(
            $"{variant}: requests/s over {best}",
            report.Median(variant, ours, Unit.RequestsPerSecond) / report.Median(variant, best, Unit.RequestsPerSecond),
            times);
        if (latencyToo)
        {
            report.AtMost(
                $"{variant}: p99 over {best}'s",
                report.Median(P99(variant), ours, Unit.Milliseconds) / report.Median(P99(variant), best, Unit.Milliseconds),
                1,
                "0.00");
        }
    }

    private static Task<LoadResult> Run(Bench bench, HttpServer server, Load load) => HttpLoad.Run(
        server.Address, load.Next, load.Expected, load.Mark is null ? null : Encoding.UTF8.GetBytes(load.Mark), load.Duration, bench.Cancellation);
}
