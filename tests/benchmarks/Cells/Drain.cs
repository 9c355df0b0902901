using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Drain
{
    private static readonly Scheduler[] OnOneHost =
    [
        Contenders.Product, Contenders.PgBoss1000, Contenders.PgBoss200, Contenders.PgBossDefault, Contenders.GraphileBatched, Contenders.GraphileDefault,
        Contenders.QuartzBest, Contenders.QuartzDefault,
    ];

    private static readonly Scheduler[] OnTwoHosts =
        [Contenders.Product, Contenders.PgBoss1000, Contenders.PgBoss200, Contenders.GraphileBatched, Contenders.QuartzBest];

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var scheduler in OnOneHost) report.Configured(scheduler.Name, scheduler.Configuration);
        report.Configured(Pgbench.Contender, Pgbench.Configuration);
        report.Note("From the first start in a handler to the last commit. A peer that works on fewer jobs is compared by its rate.");
        report.Note($"{Pgbench.Contender}: the product's own two statements and nothing else, as many at once as its hosts: a claim and a record for each.");

        await bench.OnEachDisk(async disk =>
        {
            foreach (var hosts in (int[])[1, 2])
            {
                var variant = $"{hosts} host{(hosts > 1 ? "s" : "")}{disk}";
                // The limit is no peer: it is wanted also where the product is measured alone.
                await bench.Alternate([.. bench.Chosen(hosts == 1 ? OnOneHost : OnTwoHosts, Contenders.Product), null], scheduler => scheduler is null
                    ? MeasurePgbench(bench, report, variant, hosts)
                    : Measure(bench, report, variant, scheduler, hosts));
                Judge(report, variant);
            }
        });
    }

    /// <summary>Drains once and notes the rate.</summary>
    private static async Task Measure(Bench bench, CellReport report, string variant, Scheduler scheduler, int hosts)
    {
        var jobs = Math.Min(bench.Options.Rows, scheduler.MostJobs);
        var outcome = await ScheduledRun.Run(bench, scheduler, new(jobs, TimeSpan.Zero, hosts));
        foreach (var fault in outcome.Faults()) report.Fault($"{scheduler.Name}, {variant}: {fault}");
        var note = jobs < bench.Options.Rows ? $"{jobs} jobs" : "";
        report.Measured(variant, scheduler.Name, scheduler == Contenders.Product, Unit.CallsPerSecond, outcome.Rate, note);
        Bench.Tell($"{variant}: {scheduler.Name} {Screen.Number(outcome.Rate)} calls/s");
    }

    private static async Task MeasurePgbench(Bench bench, CellReport report, string variant, int hosts)
    {
        var rate = await Pgbench.Drain(bench, bench.Options.Rows, clients: 2 * hosts);
        report.Measured(variant, Pgbench.Contender, isOurs: false, Unit.CallsPerSecond, rate);
        Bench.Tell($"{variant}: {Pgbench.Contender} {Screen.Number(rate)} calls/s");
    }

    private static void Judge(CellReport report, string variant)
    {
        (string Contender, double Least)[] limits =
            [(Contenders.GraphileBatched.Name, 1), (Contenders.PgBoss200.Name, 1.5), (Contenders.PgBoss1000.Name, 0.8), (Pgbench.Contender, 0.7)];
        var ours = report.Median(variant, Contenders.Product.Name, Unit.CallsPerSecond);
        foreach (var (contender, least) in limits)
            report.AtLeast($"{variant}: calls/s over {contender}", ours / report.Median(variant, contender, Unit.CallsPerSecond), least);
    }
}
