using System.Text.Json;
using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Scheduling;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>What a claim costs PostgreSQL, for each statement by which the product claims: the plain one, and others if there are.</summary>
internal static class ClaimCost
{
    private const int Times = 20;
    private const int BatchSize = 200;
    private static readonly string Plain = $"{nameof(TriggerDueCalls)}.{nameof(TriggerDueCalls.ClaimSql)}";

    public static async Task Measure(Bench bench, CellReport report, Fairness.MountainScheduler scheduler, int calls)
    {
        var statements = Statements();
        if (statements.Count == 1)
            report.Note($"The product claims by {Plain} alone, whoever waits: there is no fair claim yet whose cost could be compared.");

        var template = await bench.Cluster.Template($"{scheduler.Kind}_empty", connectionString => scheduler.Prepare(connectionString, bench.Cancellation));
        var database = await bench.Cluster.Create(template);
        try
        {
            await scheduler.Fill(database, new(0, calls, DateTime.UtcNow.AddMinutes(-1), TimeSpan.Zero), bench.Cancellation);
            await Cluster.VacuumAnalyze(database);
            await bench.Alternate(statements, async statement =>
                report.Measured("a claim of 200", statement.Name, statement.Name == Plain, Unit.Milliseconds, await Milliseconds(database, statement.Sql)));
        }
        finally
        {
            await bench.Cluster.Drop(database);
        }

        foreach (var (name, _) in statements.Where(statement => statement.Name != Plain))
        {
            report.AtMost(
                $"{name} over {Plain}",
                report.Median("a claim of 200", name, Unit.Milliseconds) / report.Median("a claim of 200", Plain, Unit.Milliseconds),
                2,
                "0.00");
        }
    }

    private static IReadOnlyList<ProductStatement> Statements() =>
        [.. ProductStatements.All.Where(statement =>
            statement.Name.StartsWith($"{nameof(TriggerDueCalls)}.", StringComparison.Ordinal) && statement.Sql.Contains("skip locked", StringComparison.Ordinal))];

    // As the server counts it, without the way there and back; rolled back, so that each finds the same rows.
    private static async Task<double> Milliseconds(string database, string sql)
    {
        await using var scheduler = Database.ForScheduler(database);
        await using var connection = await scheduler.OpenConnection(CancellationToken.None);
        var times = new List<double>();
        for (var time = 0; time < Times; time++)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            var plan = await connection.QuerySingleAsync<string>(
                $"explain (analyze, format json) {sql}", new
                {
                    limit = BatchSize, claimId = Guid.CreateVersion7(), wait = TimeSpan.FromMinutes(2), lastTurn = Guid.Empty,
                    fromDueAt = DateTime.MinValue, fromId = Guid.Empty,
                });
            times.Add(JsonDocument.Parse(plan).RootElement[0].GetProperty("Execution Time").GetDouble());
            await transaction.RollbackAsync();
        }

        return times.Median();
    }
}
