using System.Text.RegularExpressions;

namespace CallOrchestration.Benchmarks;

/// <summary>For whoever looks where the time goes (<c>--trace</c>).</summary>
internal static partial class Tracing
{
    private const int StatementsShown = 8;
    private const int StatementLength = 90;

    public static void TellHowToAttach(IEnumerable<Child> processes)
    {
        foreach (var process in processes)
        {
            Bench.Tell(
                $"{process.Name} is process {process.Id}: dotnet-trace collect -p {process.Id} --duration 00:00:10, or dotnet-counters monitor -p {process.Id}");
        }
    }

    public static async Task Begin(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.ExecuteAsync("create extension if not exists pg_stat_statements; select pg_stat_statements_reset()");
    }

    /// <summary>Where PostgreSQL's time went since <see cref="Begin"/>.</summary>
    public static async Task Tell(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        var times = await connection.QueryAsync<(string, long, double, double, double, long, long, long, long)>(TimesSql, new { shown = StatementsShown });
        foreach (var (statement, calls, total, mean, planning, pages, read, logged, rows) in times)
        {
            var text = Blanks().Replace(statement, " ");
            Bench.Tell(
                $"{total,8:0} ms in {calls,6} × {mean,7:0.000} ms, planned in {planning,6:0} ms, {pages,6} pages each, {read,6} read, {logged,6} logged whole, {rows,7} rows: "
                + text[..Math.Min(StatementLength, text.Length)]);
        }
    }

    private const string TimesSql =
        """
        select query, calls, total_exec_time, mean_exec_time, total_plan_time, shared_blks_hit / greatest(calls, 1), shared_blks_read, wal_fpi, rows
        from pg_stat_statements
        where dbid = (select oid from pg_database where datname = current_database())
        order by total_exec_time + total_plan_time desc
        limit @shown
        """;

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
