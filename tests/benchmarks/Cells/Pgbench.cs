using System.Diagnostics;
using System.Text.RegularExpressions;
using CallOrchestration.Benchmarks.Schedulers;
using CallOrchestration.Outbound;
using CallOrchestration.Scheduling;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>
/// The limit: the product's statements, taken from the product itself so that they never drift apart, run by PostgreSQL's own pgbench, which does
/// nothing between them.
/// </summary>
internal static partial class Pgbench
{
    public const string Contender = "pgbench, our statements";

    public const string Configuration = "prepared, a claim of 200 and its record in turn, 2 clients for each host, planned as for the scheduler";

    // Scheduler__BatchSize by default.
    private const int BatchSize = 200;

    // What the product gives its statements. A parameter that is not here has been added since.
    private static readonly Dictionary<string, string> Parameters = new()
    {
        ["limit"] = ":limit",
        ["wait"] = ":wait",
        ["claimId"] = ":claim_id",
        ["fromDueAt"] = "'-infinity'",
        ["fromId"] = "'00000000-0000-0000-0000-000000000000'",
        ["ids"] = ":ids",
        ["claims"] = ":claims",
        ["attempts"] = ":attempts",
        ["events"] = ":events",
        ["providerCallIds"] = ":provider_call_ids",
        ["waits"] = ":waits",
        ["details"] = ":details",
        ["again"] = ":again",
    };

    /// <summary>Calls a second: claimed and recorded, all committed.</summary>
    public static async Task<double> Drain(Bench bench, int rows, int clients)
    {
        var template = await bench.Cluster.Template("calls_empty", connectionString => Contenders.Product.Prepare(connectionString, bench.Cancellation));
        var database = await bench.Cluster.Create(template);
        try
        {
            await CallRows.Insert(database, new(0, rows, DateTime.UtcNow, TimeSpan.Zero));
            await Cluster.VacuumAnalyze(database);
            var script = Path.Combine(bench.Cluster.WorkDirectory, "drain.sql");
            await File.WriteAllTextAsync(script, Script(), bench.Cancellation);

            var watch = Stopwatch.StartNew();
            await using (var pgbench = Child.Start("pgbench", await Command(bench, database, script, rows, clients))) await pgbench.Ended(bench.Cancellation);
            var elapsed = watch.Elapsed;

            await using var connection = new NpgsqlConnection(database);
            var until = DateTime.UtcNow;
            var left = await connection.QuerySingleAsync<long>(Contenders.Product.UnfinishedSql, new { until });
            var done = await connection.QuerySingleAsync<long>(Contenders.Product.DoneSql!);
            return left == 0 && done == rows
                ? rows / elapsed.TotalSeconds
                : throw new CannotMeasureException($"pgbench left {left} of {rows} calls undone, and {done} are as they should be.");
        }
        finally
        {
            await bench.Cluster.Drop(database);
        }
    }

    private static async Task<ProcessStartInfo> Command(Bench bench, string database, string script, int rows, int clients)
    {
        var parts = new NpgsqlConnectionStringBuilder(database);
        // A batch that skips what another client holds is short, so a few more rounds than rows by batches.
        var transactions = rows / BatchSize / clients + 10;
        var start = new ProcessStartInfo(
            Path.Combine(await bench.Cluster.Programs(), "pgbench"),
            [
                "--no-vacuum", "--protocol=prepared", $"--client={clients}", $"--jobs={clients}", $"--transactions={transactions}", $"--file={script}",
                $"--define=limit={BatchSize}", "--define=wait=00:02:00", $"--define=claim_id={Guid.CreateVersion7()}", "--define=again=f",
                $"--host={parts.Host}", $"--port={parts.Port}", $"--username={parts.Username}", parts.Database!,
            ]);
        start.Environment["PGPASSWORD"] = parts.Password;
        start.Environment["PGOPTIONS"] = Database.PlannedOnce;
        return start;
    }

    // pgbench keeps one row of a statement's result, so the claimed calls are gathered into arrays, as the record takes them. The CallSids end in one
    // day, as the fake dialler's.
    private static string Script() =>
        $$"""
        with claimed as (
        {{Rewritten(TriggerDueCalls.ClaimSql)}}
        ),
        dialled as (
            select id, claims, attempt, left(replace(gen_random_uuid()::text, '-', ''), 28) || '1abs' as provider_call_id
            from claimed
        )
        select
            coalesce(array_agg(id), '{}') as ids,
            coalesce(array_agg(claims), '{}') as claims,
            coalesce(array_agg(attempt), '{}') as attempts,
            coalesce(array_agg('dial-accepted'::text), '{}') as events,
            coalesce(array_agg(provider_call_id), '{}') as provider_call_ids,
            coalesce(array_agg(null::interval), '{}') as waits,
            coalesce(array_agg(jsonb_build_object('claim', claims, 'provider_call_id', provider_call_id)), '{}') as details
        from dialled
        \gset
        {{Rewritten(RecordDials.RecordSql)}};
        """;

    private static string Rewritten(string sql) => Parameter().Replace(sql, match => Parameters.TryGetValue(match.Groups[1].Value, out var variable)
        ? variable
        : throw new CannotMeasureException($"The product's statement has a new parameter @{match.Groups[1].Value}: give it a value in Pgbench.cs."));

    [GeneratedRegex("@([A-Za-z][A-Za-z0-9_]*)")]
    private static partial Regex Parameter();
}
