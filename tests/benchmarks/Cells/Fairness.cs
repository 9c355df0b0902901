using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>One organization has a mountain of calls due, and many others a few each: how long do these wait?</summary>
internal static class Fairness
{
    private const int Mountain = 200_000;
    private const int Others = 199;
    private const int CallsOfEach = 20;

    // The others' calls fall due one by one, while the mountain is worked off.
    private static readonly TimeSpan Apart = TimeSpan.FromMilliseconds(5);

    public static async Task Run(Bench bench, CellReport report)
    {
        var (mountain, few) = (bench.Options.Scaled(Mountain, 2000), Others * CallsOfEach);
        report.Note($"The others' calls fall due one after the other, in the {(few * Apart).TotalSeconds:0} s after the mountain.");
        var variant = $"{mountain} of one, {CallsOfEach} each of {Others}";
        var name = Contenders.Product.Name;
        await bench.Alternate([new MountainScheduler(mountain)], async scheduler =>
        {
            var outcome = await ScheduledRun.Run(bench, scheduler, new(mountain + few, TimeSpan.Zero, 1));
            foreach (var fault in outcome.Faults()) report.Fault($"{variant}: {fault}");
            var others = outcome.Starts.Where(start => start.Number >= mountain);
            List<double> delays = [.. others.Select(start => outcome.LatenessOf(start) - (start.Number - mountain) * Apart.TotalMilliseconds)];
            if (delays.Exists(delay => delay < 0)) report.Fault($"{variant}: some of the small ones started early");
            report.Measured("the small ones' delay, p50", name, true, Unit.Milliseconds, delays.Median());
            report.Measured("the small ones' delay, p99", name, true, Unit.Milliseconds, delays.Percentile(99), $"longest {Screen.Number(delays.Max())} ms");
            Bench.Tell($"{variant}: p50 {Screen.Number(delays.Median())} ms, p99 {Screen.Number(delays.Percentile(99))} ms");
        });
        report.AtMost("the small ones' p99, ms", report.Median("the small ones' delay, p99", name, Unit.Milliseconds), 1000);
        await ClaimCost.Measure(bench, report, new MountainScheduler(mountain), mountain + few);
    }

    /// <summary>The product, with the mountain in its table.</summary>
    internal sealed class MountainScheduler(int mountain) : ProductScheduler
    {
        public override string Kind => "calls_mountain";

        public override Task Prepare(string connectionString, CancellationToken cancellation) => CallRows.Migrate(connectionString, Others + 1);

        public override async Task Fill(string connectionString, Rows rows, CancellationToken cancellation)
        {
            await using var connection = new NpgsqlConnection(connectionString);
            List<Guid> organizations = [.. await connection.QueryAsync<Guid>("select id from organizations order by id")];
            if (rows.First > 0)
            {
                await CallRows.Insert(connectionString, rows, organizations);
                return;
            }

            await CallRows.Insert(connectionString, rows with { Count = mountain }, organizations[..1], unguarded: true);
            await CallRows.Insert(connectionString, new(mountain, rows.Count - mountain, rows.Due, Apart), organizations[1..]);
        }
    }
}
