using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Ingest
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var contender in HttpContender.All) report.Configured(contender.Name, contender.Configuration);
        var (template, tenants) = await bench.TenantTemplate("calls_http", (_, _) => Task.CompletedTask);
        await bench.OnEachDisk(async disk =>
        {
            var variant = $"{HttpLoad.Connections} connections{disk}";
            await HttpCell.Measure(bench, report, variant, template, _ => Task.FromResult(Loads(bench, tenants)), Check);
            HttpCell.Judge(report, variant, 2.5, latencyToo: true);
        });
    }

    public static (Load WarmUp, Load Counts) Loads(Bench bench, IReadOnlyList<Tenant> tenants)
    {
        var requests = CallRequests.Create(tenants);
        return (new(requests, 201, Duration: HttpCell.WarmUp), new(requests, 201, Duration: bench.Options.Scaled(Duration, Shortest)));
    }

    // Each answer stands for a row, no more and no less.
    private static async Task<string?> Check(NpgsqlConnection connection, int answered)
    {
        var rows = await connection.QuerySingleAsync<long>("select count(*) from calls where jsonb_array_length(history) = 1 and metadata is not null");
        return rows == answered ? null : $"{answered} calls were answered 201, and {rows} are there";
    }
}
