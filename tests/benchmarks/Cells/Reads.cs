using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Reads
{
    private const int Rows = 10_000;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var contender in HttpContender.All) report.Configured(contender.Name, contender.Configuration);
        var (template, tenants) = await bench.TenantTemplate("calls_read", (connectionString, _) => CallHistory.Insert(connectionString, Rows, bench.Cancellation));
        if (!bench.Options.Alone) await SameAnswers.Prove(bench, report, template, tenants);

        await Measure("GET /api/calls/{id}", async database => await CallRequests.Read(database, tenants));
        await Measure("a page of 50 with filters", _ => Task.FromResult(CallRequests.List(tenants)));

        async Task Measure(string variant, Func<string, Task<Func<int, byte[]?>>> requests)
        {
            await HttpCell.Measure(bench, report, variant, template, Loads, (_, _) => Task.FromResult<string?>(null));
            HttpCell.Judge(report, variant, 2, latencyToo: false);

            async Task<(Load WarmUp, Load Counts)> Loads(string database)
            {
                var all = await requests(database);
                return (new(all, 200, Duration: HttpCell.WarmUp), new(all, 200, Duration: bench.Options.Scaled(Duration, Shortest)));
            }
        }
    }
}
