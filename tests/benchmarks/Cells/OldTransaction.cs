using System.Diagnostics;
using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>
/// A transaction that somebody forgot: while it is open PostgreSQL can take away no dead row and no dead index entry, and each claim leaves some of both
/// at the very place where the next one begins to look.
/// </summary>
internal static class OldTransaction
{
    private const int Backlog = 50_000;
    private const int RowsInAnInsert = 2000;
    private const int Windows = 30;
    private const string AtLast = "in the last fifth of the time";
    private const string Alone = "undisturbed";
    private const string Disturbed = "beside an old transaction";

    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(15);
    private static readonly Unit ShareOfTheFirst = new("× at first", true);

    public static async Task Run(Bench bench, CellReport report)
    {
        var duration = bench.Options.Scaled(Duration, Shortest);
        report.Note("Calls come in as fast as they are dialled, and nobody answers: Watchdog__AnswerTimeout is an hour, so that none is given up meanwhile.");
        report.Note("Only on this disk: what an old transaction costs is processor time.");
        var variant = $"{duration.TotalSeconds:0} s";
        await bench.Alternate([Disturbed, Alone], async contender =>
        {
            var windows = await Drain(bench, report, contender, duration);
            var fifth = Windows / 5;
            var (rate, decay) = (windows.Average(), windows.TakeLast(fifth).Average() / windows.Take(fifth).Average());
            report.Measured(variant, contender, contender == Disturbed, Unit.CallsPerSecond, rate);
            report.Measured(AtLast, contender, contender == Disturbed, ShareOfTheFirst, decay);
            var course = string.Join(' ', windows.Select(window => window.ToString("0", CultureInfo.InvariantCulture)));
            Bench.Tell($"{contender}: {Screen.Number(rate)} calls/s, at last {decay:0%} of the first: {course}");
        });
        report.AtLeast(
            "calls/s over the undisturbed rate",
            report.Median(variant, Disturbed, Unit.CallsPerSecond) / report.Median(variant, Alone, Unit.CallsPerSecond),
            0.5);
        report.AtLeast(
            "the last fifth of the time over the first, against the same undisturbed",
            report.Median(AtLast, Disturbed, ShareOfTheFirst) / report.Median(AtLast, Alone, ShareOfTheFirst),
            0.8);
    }

    // Calls a second, window by window.
    private static async Task<IReadOnlyList<double>> Drain(Bench bench, CellReport report, string contender, TimeSpan duration)
    {
        var scheduler = Contenders.Product;
        var template = await bench.Cluster.Template("calls_empty", connectionString => scheduler.Prepare(connectionString, bench.Cancellation));
        var database = await bench.Cluster.Create(template);
        try
        {
            var added = 2 * Backlog;
            await CallRows.Insert(database, new(0, added, DateTime.UtcNow, TimeSpan.Zero));
            await Cluster.VacuumAnalyze(database);
            var start = scheduler.Process(database);
            start.Environment["Watchdog__AnswerTimeout"] = "01:00:00";
            await using var process = new SchedulerProcess(scheduler.Name, start, new(0));
            await process.Ready(bench.Cancellation);
            while (process.Measured < scheduler.WarmUpJobs) await Wait(process);

            await using var old = new NpgsqlConnection(database);
            if (contender == Disturbed) await old.OpenAsync(bench.Cancellation);
            // With an id and a snapshot: it holds back whatever either of them would. It ends with its connection.
            if (contender == Disturbed) await old.ExecuteAsync("begin isolation level repeatable read; select pg_current_xact_id()");

            if (bench.Options.Trace) await Tracing.Begin(database);
            var windows = new List<double>();
            var (watch, before, begun) = (Stopwatch.StartNew(), process.Measured, TimeSpan.Zero);
            while (windows.Count < Windows)
            {
                if (added - process.Measured < Backlog)
                {
                    await CallRows.Insert(database, new(added, RowsInAnInsert, DateTime.UtcNow, TimeSpan.Zero));
                    added += RowsInAnInsert;
                }
                else
                {
                    await Wait(process);
                }

                if (watch.Elapsed < (windows.Count + 1) * duration / Windows) continue;
                var (now, at) = (process.Measured, watch.Elapsed);
                windows.Add((now - before) / (at - begun).TotalSeconds);
                (before, begun) = (now, at);
                if (!bench.Options.Trace || windows.Count % (Windows / 3) != 0) continue;
                await Tracing.Tell(database);
                await Tracing.Begin(database);
            }

            var starts = await process.Starts(bench.Cancellation);
            var duplicates = starts.Count - starts.Select(start => start.Number).Distinct().Count();
            if (duplicates > 0) report.Fault($"{contender}: {duplicates} started twice");
            await using var connection = new NpgsqlConnection(database);
            var done = await connection.QuerySingleAsync<long>(scheduler.DoneSql!, commandTimeout: 0);
            if (done != starts.Count) report.Fault($"{contender}: {starts.Count} were started, and {done} rows are as they should be");
            return windows;
        }
        finally
        {
            await bench.Cluster.Drop(database);
        }

        async Task Wait(SchedulerProcess process)
        {
            process.MustRun();
            await Task.Delay(20, bench.Cancellation);
        }
    }
}
