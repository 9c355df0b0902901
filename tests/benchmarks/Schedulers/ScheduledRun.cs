using System.Diagnostics;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>What is scheduled in one run.</summary>
/// <param name="Jobs">How many jobs.</param>
/// <param name="Step">From one due time to the next; zero: all at the same instant.</param>
/// <param name="Hosts">Processes that share the work.</param>
/// <param name="WithFuture">Beside a million jobs that are due tomorrow.</param>
internal sealed record Plan(int Jobs, TimeSpan Step, int Hosts, bool WithFuture = false);

/// <summary>What became of it.</summary>
/// <param name="Jobs">How many should have been started.</param>
/// <param name="Starts">Every start, by any process.</param>
/// <param name="Due">When the first was due.</param>
/// <param name="Step">From one due time to the next.</param>
/// <param name="Finished">When the database showed that all were done.</param>
/// <param name="NotDone">How many the database does not show to be done as they should.</param>
internal sealed record Outcome(int Jobs, IReadOnlyList<Start> Starts, DateTime Due, TimeSpan Step, DateTime Finished, long NotDone)
{
    public DateTime FirstStart => At(Starts.Min(start => start.AtMicroseconds));

    /// <summary>From the first start to the last commit, per second.</summary>
    public double Rate => Jobs / (Finished - FirstStart).TotalSeconds;

    /// <summary>How long after its due time each was started, in milliseconds.</summary>
    public IReadOnlyList<double> Lateness => [.. Starts.Select(LatenessOf)];

    public double LatenessOf(Start start) => (At(start.AtMicroseconds) - Due - start.Number * Step).TotalMilliseconds;

    /// <summary>All that must not be.</summary>
    public IEnumerable<string> Faults()
    {
        var duplicates = Starts.Count - Starts.Select(start => start.Number).Distinct().Count();
        var early = Starts.Count(start => start.Number >= Jobs || LatenessOf(start) < 0);
        var missing = Jobs - Starts.Count + duplicates;
        if (duplicates > 0) yield return $"{duplicates} started twice";
        if (early > 0) yield return $"{early} started early";
        if (missing > 0) yield return $"{missing} never started";
        if (NotDone != 0) yield return $"{NotDone} rows are not as they should be";
    }

    private static DateTime At(long microseconds) => DateTime.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);
}

/// <summary>
/// One run of one scheduler: a fresh database, jobs that are due in a while, processes that are warm by then, and at the due time nothing but work.
/// Counted in the handlers, and ended by what the database shows.
/// </summary>
internal static class ScheduledRun
{
    public const int FutureJobs = 1_000_000;

    // Between the fill and the due time: the processes start and get warm.
    private static readonly TimeSpan ToGetWarm = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan LongestStall = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(5);

    public static async Task<Outcome> Run(Bench bench, Scheduler scheduler, Plan plan)
    {
        for (var lead = ToGetWarm + TimeSpan.FromSeconds(1 + (plan.Jobs + scheduler.WarmUpJobs) / 5000.0); ; lead *= 2)
        {
            var database = await bench.Cluster.Create(await Template(bench, scheduler, plan.WithFuture));
            try
            {
                if (await Try(bench, scheduler, plan, database, lead) is { } outcome) return outcome;
                Bench.Tell($"{scheduler.Name} was not warm when its jobs fell due; again, with more time");
            }
            finally
            {
                await bench.Cluster.Drop(database);
            }
        }
    }

    /// <summary>
    /// The same on a database that is there already, and is as it was when <paramref name="tidy"/> is over. It is played once by the same processes before
    /// it is measured: a process of PostgreSQL's maps each page of the shared memory at its first touch, and in a large table nearly every call has a
    /// page of its own. With new connections a drain beside ten million rows takes half as long again, whatever the host; those of a host that runs for days
    /// have all their pages.
    /// </summary>
    public static async Task<Outcome> RunOn(Bench bench, Scheduler scheduler, Plan plan, string database, Func<Task> tidy)
    {
        var now = WholeMillisecond(DateTime.UtcNow);
        await scheduler.Fill(database, new(StartRecorder.WarmUpFrom, plan.Jobs, now, TimeSpan.Zero), bench.Cancellation);
        await Cluster.VacuumAnalyze(database);
        await using var processes = new Processes(bench, scheduler, plan, database);
        await processes.Start();
        await processes.Until(() => processes.Warm >= plan.Jobs, now);
        await Finished(scheduler, plan, database, now, bench.Cancellation);
        var notDoneAtFirst = await NotDone(scheduler, database, plan.Jobs);
        await tidy();

        var due = WholeMillisecond(DateTime.UtcNow + TimeSpan.FromSeconds(20 + plan.Jobs / 1500.0));
        await scheduler.Fill(database, new(0, plan.Jobs, due, plan.Step), bench.Cancellation);
        await Cluster.VacuumAnalyze(database);
        if (DateTime.UtcNow > due) throw new CannotMeasureException("The machine is too busy to measure.");
        var outcome = await processes.Measure(due, plan.Jobs);
        await tidy();
        return outcome with { NotDone = notDoneAtFirst + outcome.NotDone };
    }

    // Null where the processes were not warm when the first job fell due.
    private static async Task<Outcome?> Try(Bench bench, Scheduler scheduler, Plan plan, string database, TimeSpan lead)
    {
        var due = WholeMillisecond(DateTime.UtcNow + lead);
        await scheduler.Fill(database, new(0, plan.Jobs, due, plan.Step), bench.Cancellation);
        // Due already, and there when the processes start: a peer notices only then what another process has added.
        Rows warmUp = new(StartRecorder.WarmUpFrom, scheduler.WarmUpJobs, WholeMillisecond(DateTime.UtcNow), TimeSpan.Zero);
        await scheduler.Fill(database, warmUp, bench.Cancellation);
        await Cluster.VacuumAnalyze(database);
        if (DateTime.UtcNow + ToGetWarm > due) return null;

        await using var processes = new Processes(bench, scheduler, plan, database);
        await processes.Start();
        await processes.Until(() => processes.Warm >= scheduler.WarmUpJobs, due);
        return DateTime.UtcNow > due ? null : await processes.Measure(due, plan.Jobs + scheduler.WarmUpJobs);
    }

    private sealed class Processes(Bench bench, Scheduler scheduler, Plan plan, string database) : IAsyncDisposable
    {
        private readonly SemaphoreSlim heard = new(0);
        private readonly List<SchedulerProcess> all = [];

        public int Warm => all.Sum(process => process.Warm);

        public async Task Start()
        {
            for (var host = 0; host < plan.Hosts; host++) all.Add(new(scheduler.Name, scheduler.Process(database), heard));
            foreach (var process in all) await process.Ready(bench.Cancellation);
            if (bench.Options.Trace) Tracing.TellHowToAttach(all);
        }

        // No limit for the whole, since some are slow; but one for standing still.
        public async Task Until(Func<bool> condition, DateTime due)
        {
            var (seen, since) = (-1, Stopwatch.StartNew());
            for (; !condition(); await heard.WaitAsync(LongestSilence, bench.Cancellation))
            {
                foreach (var process in all) process.MustRun();
                var now = all.Sum(process => process.Measured + process.Warm);
                if (now != seen || DateTime.UtcNow < due) since.Restart();
                seen = now;
                if (since.Elapsed > LongestStall) throw new CannotMeasureException($"{scheduler.Name} stands still after {now} jobs.");
            }
        }

        /// <param name="due">Of the first job.</param>
        /// <param name="rows">How many the database has to show as done, with those that only warmed up.</param>
        public async Task<Outcome> Measure(DateTime due, long rows)
        {
            if (bench.Options.Trace) await Tracing.Begin(database);
            await Until(() => all.Sum(process => process.Measured) >= plan.Jobs, due);
            var finished = await Finished(scheduler, plan, database, due, bench.Cancellation);
            if (bench.Options.Trace) await Tracing.Tell(database);

            var starts = new List<Start>();
            foreach (var process in all) starts.AddRange(await process.Starts(bench.Cancellation));
            return new(plan.Jobs, starts, due, plan.Step, finished, await NotDone(scheduler, database, rows));
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var process in all) await process.DisposeAsync();
        }
    }

    private static async Task<DateTime> Finished(Scheduler scheduler, Plan plan, string database, DateTime due, CancellationToken cancellation)
    {
        var until = due + plan.Jobs * plan.Step;
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(cancellation);
        for (var waited = Stopwatch.StartNew(); await connection.QuerySingleAsync<long>(scheduler.UnfinishedSql, new { until }, commandTimeout: 0) > 0;)
        {
            if (waited.Elapsed > LongestStall) throw new CannotMeasureException($"{scheduler.Name} has started all jobs, and does not finish them.");
            await Task.Delay(BetweenLooks, cancellation);
        }

        var found = DateTime.UtcNow;
        return scheduler.LastDoneSql is { } sql ? await connection.QuerySingleAsync<DateTime>(sql, commandTimeout: 0) : found;
    }

    private static async Task<long> NotDone(Scheduler scheduler, string database, long rows)
    {
        if (scheduler.DoneSql is not { } sql) return 0;
        await using var connection = new NpgsqlConnection(database);
        return rows - await connection.QuerySingleAsync<long>(sql, commandTimeout: 0);
    }

    private static Task<string> Template(Bench bench, Scheduler scheduler, bool withFuture) =>
        bench.Cluster.Template($"{scheduler.Kind}_{(withFuture ? "future" : "empty")}", async connectionString =>
        {
            await scheduler.Prepare(connectionString, bench.Cancellation);
            if (!withFuture) return;
            var (future, tomorrow) = (bench.Options.Scaled(FutureJobs, 1000), WholeMillisecond(DateTime.UtcNow.AddDays(1)));
            await scheduler.Fill(connectionString, new(2 * StartRecorder.WarmUpFrom, future, tomorrow, TimeSpan.FromMilliseconds(1)), bench.Cancellation);
        });

    private static DateTime WholeMillisecond(DateTime time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMillisecond, DateTimeKind.Utc);
}
