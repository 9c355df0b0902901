using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>The same work in a table of ten thousand rows and in one of ten million, which differ in nothing else.</summary>
internal static class Scale
{
    private const int Few = 10_000;
    private const int Many = 10_000_000;
    private const int Drained = 50_000;
    private const double Least = 0.8;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    /// <param name="Name">In the tables.</param>
    /// <param name="Database">Its connection string.</param>
    /// <param name="Tenants">With their secrets.</param>
    /// <param name="IsLarge">The one that is judged.</param>
    private sealed record Table(string Name, string Database, IReadOnlyList<Tenant> Tenants, bool IsLarge);

    public static async Task Run(Bench bench, CellReport report)
    {
        var many = bench.Options.Scaled(Many, 10 * Few);
        report.Note($"Both tables: {CallRows.Tenants} organizations, nine of ten calls over, one of ten waiting for tomorrow. No peer is here.");
        Table[] tables = [await Make(bench, "calls_few", Few), await Make(bench, "calls_many", many)];
        await bench.OnEachDisk(async disk =>
        {
            await Compare(bench, report, tables, $"drain{disk}", Unit.CallsPerSecond, table => Drain(bench, report, table));
            await Requests($"ingest{disk}", CallRequests.Create, 201);
        });
        await Requests("a page of 50 with filters", CallRequests.List, 200);
        await Requests("the summary", CallRequests.Summary, 200);

        await PlanCapture.Run(bench, report, tables[^1].Database, tables[^1].Tenants);
        var heavy = report.Plans.Count(plan => !plan.IsLean);
        report.AtMost($"statements that read more than {QueryPlan.MostReadPerReturned} rows for each that they return", heavy, 0, "0");

        Task Requests(string variant, Func<IReadOnlyList<Tenant>, Func<int, byte[]?>> make, int expected) =>
            Compare(bench, report, tables, variant, Unit.RequestsPerSecond, table => Load(bench, report, table, make(table.Tenants), expected));
    }

    private static async Task<Table> Make(Bench bench, string name, int rows)
    {
        Bench.Tell($"filling {name} with {rows.ToString("#,0", CultureInfo.InvariantCulture)} rows");
        var (template, tenants) = await bench.TenantTemplate(name, (connectionString, _) => CallHistory.Insert(connectionString, rows, bench.Cancellation));
        return new($"{rows.ToString("#,0", CultureInfo.InvariantCulture)} rows", bench.Cluster.Open(template), tenants, name == "calls_many");
    }

    private static async Task Compare(
        Bench bench, CellReport report, IReadOnlyList<Table> tables, string variant, Unit unit, Func<Table, Task<double>> measure)
    {
        await bench.Alternate(tables, async table =>
        {
            var rate = await measure(table);
            report.Measured(variant, table.Name, table.IsLarge, unit, rate);
            Bench.Tell($"{variant}, {table.Name}: {Screen.Number(rate)} {unit.Name}");
        });
        var (few, many) = (report.Median(variant, tables[0].Name, unit), report.Median(variant, tables[1].Name, unit));
        report.AtLeast($"{variant}: {unit.Name} over those with {tables[0].Name}", many / few, Least);
    }

    private static async Task<double> Drain(Bench bench, CellReport report, Table table)
    {
        Plan plan = new(bench.Options.Scaled(Drained, 1000), TimeSpan.Zero, 1);
        var outcome = await ScheduledRun.RunOn(bench, Contenders.Product, plan, table.Database, () => Tidy(table.Database, "status = 'IN_PROGRESS'"));
        foreach (var fault in outcome.Faults()) report.Fault($"{table.Name}: {fault}");
        return outcome.Rate;
    }

    private static async Task<double> Load(Bench bench, CellReport report, Table table, Func<int, byte[]?> requests, int expected)
    {
        await using var connection = new NpgsqlConnection(table.Database);
        var begun = await connection.QuerySingleAsync<DateTime>("select now()");
        await using var server = await HttpServer.Start(bench, HttpContender.Product, table.Database);
        var warmed = await HttpLoad.Run(server.Address, requests, expected, null, HttpCell.WarmUp, bench.Cancellation);
        var result = await HttpLoad.Run(server.Address, requests, expected, null, bench.Options.Scaled(Duration, Shortest), bench.Cancellation);
        foreach (var (what, times) in warmed.Unexpected.Concat(result.Unexpected)) report.Fault($"{table.Name}: {times} × {what}");
        if (expected == 201)
        {
            var added = await Tidy(table.Database, $"id >= '{Guid.CreateVersion7(begun).ToString()[..13]}-7000-8000-000000000000'");
            var answered = warmed.Requests + result.Requests;
            if (added != answered) report.Fault($"{table.Name}: {answered} calls were answered 201, and {added} were there");
        }

        return result.Rate;
    }

    // The table is as it was, for the next run.
    private static async Task<int> Tidy(string database, string added)
    {
        await using var connection = new NpgsqlConnection(database);
        var rows = await connection.ExecuteAsync($"delete from calls where {added}", commandTimeout: 0);
        await Cluster.VacuumAnalyze(database);
        return rows;
    }
}
