using Spectre.Console;

namespace CallOrchestration.Benchmarks.Report;

/// <summary>What a person reads: a table and bars for each cell, and the verdict at the end.</summary>
internal static class Screen
{
    private const int BarWidth = 90;
    private const int WidthOfAFile = 180;

    public static async Task WriteHeading(Bench bench)
    {
        if (Console.IsOutputRedirected)
        {
            // A file is as wide as the tables need.
            AnsiConsole.Profile.Width = WidthOfAFile;
            AnsiConsole.Profile.Capabilities.Ansi = false;
            AnsiConsole.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
        }

        var options = bench.Options;
        AnsiConsole.Write(new Rule("[bold]CallOrchestration, measured[/]").LeftJustified());
        AnsiConsole.MarkupLineInterpolated(
            $"{Environment.ProcessorCount} processors, {Machine.Memory()}, load {Machine.Load()}; {options.Runs} runs, {options.Rows} rows");
        if (options.Rows != BenchmarkOptions.FullRows)
        {
            AnsiConsole.MarkupLineInterpolated(
                $"[yellow]Not the full size: every cell is made smaller or larger with the rows ({BenchmarkOptions.FullRows} in full), and targets mean less.[/]");
        }

        AnsiConsole.MarkupLineInterpolated($"PostgreSQL: {string.Join(", ", (await bench.Cluster.Settings()).Select(setting => $"{setting.Key}={setting.Value}"))}");
    }

    public static void WriteCell(string name, string what)
    {
        AnsiConsole.WriteLine();
        AnsiConsole.Write(new Rule($"[bold]{name}[/]").LeftJustified());
        AnsiConsole.MarkupLineInterpolated($"{what}");
    }

    public static void Write(CellReport report)
    {
        foreach (var (contender, how) in report.Settings) AnsiConsole.MarkupLineInterpolated($"[grey]  {contender}: {how}[/]");
        if (report.Figures.Count > 0)
        {
            AnsiConsole.Write(FigureTable(report));
            foreach (var group in report.Figures.GroupBy(figure => (figure.Variant, figure.Unit)).Where(group => group.Count() > 1))
                WriteBars(group.Key.Variant, group.Key.Unit, [.. group]);
        }

        if (report.Plans.Count > 0) AnsiConsole.Write(PlanTable(report.Plans));
        foreach (var note in report.Notes) AnsiConsole.MarkupLineInterpolated($"  {note}");
        foreach (var fault in report.Faults) AnsiConsole.MarkupLineInterpolated($"[red]  ✗ {fault}[/]");
        if (report.Targets.Count > 0) AnsiConsole.Write(TargetTable(report.Targets));
    }

    /// <returns>Whether every target of every cell was reached.</returns>
    public static bool WriteVerdict(IReadOnlyList<CellReport> reports)
    {
        AnsiConsole.WriteLine();
        AnsiConsole.Write(new Rule("[bold]Verdict[/]").LeftJustified());
        foreach (var report in reports)
        {
            var met = report.Targets.Count(target => target.Met);
            AnsiConsole.MarkupLine($"{(report.Passed ? "[green]✓[/]" : "[red]✗[/]")} {report.Name}: {met} of {report.Targets.Count} targets reached");
            foreach (var target in report.Targets.Where(target => !target.Met)) AnsiConsole.MarkupLineInterpolated($"    missed: {target.What}, it is {target.Reached}");
            foreach (var fault in report.Faults) AnsiConsole.MarkupLineInterpolated($"    {fault}");
        }

        return reports.All(report => report.Passed);
    }

    /// <summary>Three digits that mean something.</summary>
    public static string Number(double value) => double.IsNaN(value) ? "–" : Math.Abs(value) switch
    {
        >= 100 => value.ToString("#,0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    private static Table FigureTable(CellReport report)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumns("circumstances", "who");
        foreach (var heading in (string[])["median", "range", "unit", "we are ahead", "runs"]) table.AddColumn(new TableColumn(heading).RightAligned());
        table.AddColumn("");
        foreach (var group in report.Figures.GroupBy(figure => (figure.Variant, figure.Unit)))
        {
            var ours = group.FirstOrDefault(figure => figure.IsOurs);
            foreach (var figure in group)
            {
                var ahead = ours is null || figure == ours ? "" : $"× {Number(figure.Unit.Ahead(ours.Median, figure.Median))}";
                table.AddRow(
                    new Text(figure.Variant),
                    new Text(figure.Contender, figure.IsOurs ? new Style(decoration: Decoration.Bold) : Style.Plain),
                    new Text(Number(figure.Median)),
                    new Text($"{Number(figure.Values.Min())} … {Number(figure.Values.Max())}"),
                    new Text(figure.Unit.Name),
                    new Text(ahead),
                    new Text($"{figure.Values.Count}"),
                    new Text(figure.Note));
            }
        }

        return table;
    }

    private static void WriteBars(string variant, Unit unit, IReadOnlyList<Figure> figures)
    {
        AnsiConsole.MarkupLineInterpolated($"[bold]{variant}[/], {unit.Name}, {(unit.MoreIsBetter ? "longer" : "shorter")} is better");
        var chart = new BarChart { Width = BarWidth, Culture = CultureInfo.InvariantCulture };
        foreach (var figure in figures)
            chart.AddItem(Markup.Escape(figure.Contender), Math.Round(figure.Median, 2), figure.IsOurs ? Color.Green : Color.Grey);
        AnsiConsole.Write(chart);
    }

    private static Table PlanTable(IReadOnlyList<QueryPlan> plans)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn("statement");
        foreach (var heading in (string[])["rows read", "rows returned"]) table.AddColumn(new TableColumn(heading).RightAligned());
        table.AddColumn("");
        foreach (var plan in plans)
        {
            table.AddRow(
                new Text(plan.Statement),
                new Text(plan.Read.ToString("#,0", CultureInfo.InvariantCulture)),
                new Text(plan.Returned.ToString("#,0", CultureInfo.InvariantCulture)),
                new Markup(plan.IsLean ? "[green]✓[/]" : "[red]reads too much[/]"));
        }

        return table;
    }

    private static Table TargetTable(IReadOnlyList<Target> targets)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumns("target", "reached", "");
        foreach (var target in targets)
            table.AddRow(new Text(target.What), new Text(target.Reached), new Markup(target.Met ? "[green]✓[/]" : "[red]✗[/]"));
        return table;
    }
}
