using System.Globalization;
using CallOrchestration.Simulator.Provider;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What a storm shows: its plan, itself while it goes on, and what it has shown.</summary>
internal sealed class StormScreen(IAnsiConsole console, StormOptions options)
{
    private const int StrikesShown = 8;
    private const int ViolationsShown = 20;
    private const int WidthOfABar = 40;

    private static readonly TimeSpan BetweenFrames = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);

    // Each bound is about twice the one before: what matters is the order of magnitude.
    private static readonly double[] LatenessBounds = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, double.PositiveInfinity];
    private static readonly double[] LifeBounds = [0.5, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, double.PositiveInfinity];

    private bool IsLive => console.Profile.Capabilities is { Interactive: true, Ansi: true };

    public void Say(string line) => console.WriteLine(line);

    public void Struck(Strike strike)
    {
        if (!IsLive) console.WriteLine(Line(strike));
    }

    /// <summary>Shows the storm until it is over.</summary>
    public async Task Watch(StormRound round, StormStage stage, Task storm)
    {
        console.WriteLine();
        foreach (var line in round.Plan.Describe()) console.WriteLine(line);
        console.WriteLine("  The same seed draws the same calls, scripts and faults; how real processes interleave is not replayed.");
        if (IsLive)
        {
            await console.Live(Frame(round, stage)).AutoClear(true).StartAsync(async live =>
            {
                while (await Task.WhenAny(storm, Task.Delay(BetweenFrames)) != storm) live.UpdateTarget(Frame(round, stage));
            });
        }
        else
        {
            while (await Task.WhenAny(storm, Task.Delay(BetweenLines)) != storm) console.WriteLine(Progress(round, stage));
        }

        await storm;
    }

    /// <summary>One storm's result.</summary>
    public void Tell(StormResult result)
    {
        var verdict = (result.Held, result.IsValid) switch
        {
            (true, true) => "[green]held[/]",
            (true, false) => "[yellow]held, but not all that was planned has struck[/]",
            _ => "[red]DID NOT HOLD[/]",
        };
        console.Write(new Markup(string.Create(
            CultureInfo.InvariantCulture,
            $"seed {result.Plan.Seed}: {verdict} — {result.Plan.Calls.Count} calls, {result.Dials} dials, {result.Webhooks} webhooks, {result.Strikes.Count} + {result.ProviderFaults.Values.Sum()} faults, {result.Took.TotalSeconds:0.0} s\n")));
        foreach (var missed in result.Missed) console.WriteLine($"  never struck: {missed}");
        foreach (var violation in result.Violations.Take(ViolationsShown)) console.Write(new Markup($"  [red]✗ {violation.Invariant}[/]: {Markup.Escape(violation.What)}\n"));
        if (result.Violations.Count > ViolationsShown) console.WriteLine($"  … and {result.Violations.Count - ViolationsShown} more (--report has all)");
    }

    /// <summary>All storms together: the invariants, what struck, the plots, and what may be claimed.</summary>
    public void Sum(IReadOnlyList<StormResult> results)
    {
        console.WriteLine();
        console.Write(Invariants(results));
        console.Write(Faults(results));
        Plot("lateness of a call's start, in ms", [.. results.SelectMany(result => result.Lateness)], LatenessBounds);
        Plot("from a call's creation to its end, in s", [.. results.SelectMany(result => result.Lives)], LifeBounds);
        console.WriteLine($"outcomes: {string.Join(", ", results.SelectMany(result => result.Outcomes).GroupBy(outcome => outcome.Key, outcome => outcome.Value).OrderByDescending(outcome => outcome.Sum()).Select(outcome => $"{outcome.Sum()} {outcome.Key}"))}");
        foreach (var host in results.SelectMany(result => result.After).Select(rest => rest.Host).Distinct().Where(_ => options.Soak && results.Count > 1))
        {
            var rests = results.Select(result => result.After.FirstOrDefault(rest => rest.Host == host)).OfType<AtRest>().ToList();
            console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"host {host} at rest: {rests[0].MemoryMegabytes:0} MB and {rests[0].Connections} connections after the first storm, {rests[^1].MemoryMegabytes:0} MB and {rests[^1].Connections} after the last"));
        }

        console.WriteLine();
        console.Write(new Markup(Verdict(results)));
    }

    // Nothing seen in n tries: with 95 % confidence the rate is below 3/n (the rule of three).
    private string Verdict(IReadOnlyList<StormResult> results)
    {
        var calls = results.Sum(result => result.Plan.Calls.Count);
        var broken = results.Count(result => !result.Held);
        var invalid = results.Count(result => !result.IsValid);
        var seeds = options.Seeds == 1 ? $"seed {options.Seed}" : $"seeds {options.Seed} to {options.Seed + options.Seeds - 1}";
        if (broken > 0) return $"[red]{broken} of {results.Count} storms did not hold[/], {seeds}\n";
        var claim = string.Create(CultureInfo.InvariantCulture, $"no violation in {calls} calls, {seeds}: with 95 % confidence fewer than one call in {Math.Max(1, calls / 3)}");
        return invalid > 0 ? $"[yellow]{claim}, but {invalid} of {results.Count} storms missed a fault[/]\n" : $"[green]{claim}[/]\n";
    }

    private static Table Invariants(IReadOnlyList<StormResult> results)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumns("", "invariant", "what must hold", "violations");
        foreach (var invariant in Invariant.All)
        {
            var violations = results.Sum(result => result.Violations.Count(violation => violation.Invariant == invariant));
            table.AddRow(
                new Markup(violations == 0 ? "[green]✓[/]" : "[red]✗[/]"), new Text(invariant.ToString()), new Text(invariant.Says), new Text($"{violations}"));
        }

        return table;
    }

    private static Table Faults(IReadOnlyList<StormResult> results)
    {
        var struck = results.SelectMany(result => result.Strikes).CountBy(strike => strike.Fault)
            .Concat(results.SelectMany(result => result.ProviderFaults).GroupBy(fault => fault.Key, fault => fault.Value).Select(fault => KeyValuePair.Create(fault.Key, fault.Sum())))
            .OrderBy(fault => fault.Key, StringComparer.Ordinal).ToList();
        const int Columns = 3;
        var table = new Table().Border(TableBorder.Simple);
        for (var column = 0; column < Columns; column++) table.AddColumns("fault", "struck");
        var height = (struck.Count + Columns - 1) / Columns;
        for (var row = 0; row < height; row++)
        {
            var places = Enumerable.Range(0, Columns).Select(column => (column * height) + row).Where(place => place < struck.Count);
            table.AddRow([.. places.SelectMany(place => (string[])[struck[place].Key, $"{struck[place].Value}"])]);
        }

        return table;
    }

    private void Plot(string what, IReadOnlyList<double> values, double[] bounds)
    {
        if (values.Count == 0) return;
        var counts = bounds.Select((bound, place) => values.Count(value => value < bound && (place == 0 || value >= bounds[place - 1]))).ToList();
        var sorted = values.Order().ToList();
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: p50 {sorted[sorted.Count / 2]:0.0}, p99 {sorted[sorted.Count * 99 / 100]:0.0}, longest {sorted[^1]:0.0}"));
        var most = Math.Max(1, counts.Max());
        for (var place = 0; place < bounds.Length; place++)
        {
            if (counts[place] == 0 && (place == 0 || counts.Skip(place).All(count => count == 0))) continue;
            var label = double.IsInfinity(bounds[place]) ? $"≥ {bounds[place - 1].ToString(CultureInfo.InvariantCulture)}" : $"< {bounds[place].ToString(CultureInfo.InvariantCulture)}";
            console.WriteLine($"  {label,7} {new string('█', (int)Math.Ceiling(counts[place] * (double)WidthOfABar / most))} {counts[place]}");
        }

        console.WriteLine();
    }

    private static string Progress(StormRound round, StormStage stage) => string.Create(
        CultureInfo.InvariantCulture,
        $"  {(DateTimeOffset.UtcNow - round.Began).TotalSeconds,5:0.0} s  {Counts(round)}; {round.Strikes.All.Count} of {round.Plan.Faults.Count} faults; hosts {string.Join(", ", stage.Hosts.Select(host => host.State.ToString().ToLowerInvariant()))}; {SoFar(round)}");

    // Those that can be told before the end.
    private static string SoFar(StormRound round)
    {
        var broken = DialInvariants.SoFar(round).Select(violation => violation.Invariant.ToString())
            .Concat(round.Client?.Intrusions.Select(_ => Invariant.OwnRowsOnly.ToString()) ?? []).Concat(round.Fallen.Select(_ => Invariant.BackAtRest.ToString())).Distinct().ToList();
        return broken.Count == 0 ? "invariants hold so far" : $"BROKEN: {string.Join(", ", broken)}";
    }

    private static string Counts(StormRound round)
    {
        return $"{round.Client?.Calls.Count ?? 0} of {round.Plan.Calls.Count} calls begun, {round.Statuses.GetValueOrDefault("IN_PROGRESS")} in progress, "
            + $"{round.Statuses.GetValueOrDefault("COMPLETED")} over, {round.Ledger.Count(entry => entry.Kind == LedgerKind.Dial)} dials";
    }

    private static string Line(Strike strike) => string.Create(CultureInfo.InvariantCulture, $"  ⚡ {strike.At:HH:mm:ss.fff} {strike.Fault}: {strike.Where}");

    private static Rows Frame(StormRound round, StormStage stage) => new(
    [
        new Text(Progress(round, stage)),
        new Text($"  provider: {string.Join(", ", round.Strikes.Provider.OrderBy(fault => fault.Key, StringComparer.Ordinal).Select(fault => $"{fault.Value} {fault.Key}"))}", new Style(Color.Grey)),
        .. round.Strikes.All.TakeLast(StrikesShown).Select(strike => (IRenderable)new Text(Line(strike), new Style(Color.Yellow))),
    ]);
}
