using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Lateness
{
    private static readonly (int Rate, TimeSpan Duration)[] Rates =
        [(20, TimeSpan.FromSeconds(30)), (200, TimeSpan.FromSeconds(15)), (1000, TimeSpan.FromSeconds(10))];

    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(3);

    private static readonly Scheduler[] Best = [Contenders.Product, Contenders.PgBoss1000, Contenders.GraphilePrompt, Contenders.QuartzBest];

    private static readonly Scheduler[] WithDefaults = [.. Best, Contenders.GraphileDefault, Contenders.QuartzDefault];

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var scheduler in WithDefaults) report.Configured(scheduler.Name, scheduler.Configuration);
        report.Note("The start in the handler less the due time, both by this machine's clock. Peers in their defaults are measured once, at 200 a second.");

        foreach (var withFuture in (bool[])[false, true])
        {
            foreach (var (rate, duration) in Rates)
            {
                foreach (var hosts in (int[])[1, 2])
                {
                    var contenders = hosts == 2 ? [Contenders.Product] : rate == 200 && !withFuture ? WithDefaults : Best;
                    var variant = $"{rate}/s, {hosts} host{(hosts > 1 ? "s" : "")}{(withFuture ? ", a million more tomorrow" : "")}";
                    await bench.Alternate(bench.Chosen(contenders, Contenders.Product), scheduler => Measure(bench, report, variant, scheduler, new(
                        (int)(rate * bench.Options.Scaled(duration, Shortest).TotalSeconds), TimeSpan.FromMilliseconds(1000.0 / rate), hosts, withFuture)));
                    Judge(report, variant, rate, contenders);
                }
            }
        }
    }

    private static async Task Measure(Bench bench, CellReport report, string variant, Scheduler scheduler, Plan plan)
    {
        var outcome = await ScheduledRun.Run(bench, scheduler, plan);
        foreach (var fault in outcome.Faults()) report.Fault($"{scheduler.Name}, {variant}: {fault}");
        var isOurs = scheduler == Contenders.Product;
        var (p50, p99, most) = (outcome.Lateness.Median(), outcome.Lateness.Percentile(99), outcome.Lateness.Max());
        report.Measured(P50(variant), scheduler.Name, isOurs, Unit.Milliseconds, p50);
        report.Measured(P99(variant), scheduler.Name, isOurs, Unit.Milliseconds, p99, $"longest {Screen.Number(most)} ms");
        Bench.Tell($"{variant}: {scheduler.Name} p50 {Screen.Number(p50)} ms, p99 {Screen.Number(p99)} ms, longest {Screen.Number(most)} ms");
    }

    private static void Judge(CellReport report, string variant, int rate, IReadOnlyList<Scheduler> contenders)
    {
        var ours = report.Median(P99(variant), Contenders.Product.Name, Unit.Milliseconds);
        if (rate == 200) report.AtMost($"{P99(variant)}, ms", ours, 10);
        if (rate == 1000) report.AtMost($"{P99(variant)}, ms", ours, 25);
        foreach (var peer in contenders.Where(scheduler => scheduler != Contenders.Product))
            report.AtLeast($"{P99(variant)}: ahead of {peer.Name}", report.Median(P99(variant), peer.Name, Unit.Milliseconds) / ours, 1);
    }

    private static string P50(string variant) => $"{variant}, p50";

    private static string P99(string variant) => $"{variant}, p99";
}
