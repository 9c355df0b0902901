using CallOrchestration.Benchmarks.Report;
using CallOrchestration.Benchmarks.Schedulers;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Burst
{
    private const int Calls = 2000;

    private static readonly Scheduler[] OnOneHost = [Contenders.Product, Contenders.PgBoss1000, Contenders.GraphilePrompt, Contenders.QuartzBest];

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var scheduler in OnOneHost) report.Configured(scheduler.Name, scheduler.Configuration);
        foreach (var hosts in (int[])[1, 2])
        {
            var variant = $"the last of {bench.Options.Scaled(Calls, 100)}, {hosts} host{(hosts > 1 ? "s" : "")}";
            await bench.Alternate(bench.Chosen(hosts == 1 ? OnOneHost : [Contenders.Product], Contenders.Product), scheduler => Measure(bench, report, variant, scheduler, hosts));
            report.AtMost($"{variant}, ms", report.Median(variant, Contenders.Product.Name, Unit.Milliseconds), 150);
        }
    }

    private static async Task Measure(Bench bench, CellReport report, string variant, Scheduler scheduler, int hosts)
    {
        var outcome = await ScheduledRun.Run(bench, scheduler, new(bench.Options.Scaled(Calls, 100), TimeSpan.Zero, hosts));
        foreach (var fault in outcome.Faults()) report.Fault($"{scheduler.Name}, {variant}: {fault}");
        var last = outcome.Lateness.Max();
        report.Measured(variant, scheduler.Name, scheduler == Contenders.Product, Unit.Milliseconds, last);
        Bench.Tell($"{variant}: {scheduler.Name} {Screen.Number(last)} ms");
    }
}
