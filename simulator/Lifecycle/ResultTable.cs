using System.Globalization;
using Spectre.Console;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>What is left on the screen when all is played.</summary>
internal static class ResultTable
{
    // From here on the short id fits beside the scenario's name without robbing the other columns.
    private const int WideEnoughForIds = 110;

    // "COMPLETED no-answer," and the retries on the next line: what was played needs the room more.
    private const int WidthOfAnEnding = 20;

    public static void Write(IAnsiConsole console, IReadOnlyList<ScenarioResult> results)
    {
        var wide = console.Profile.Width >= WideEnoughForIds;
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn(Column("call").NoWrap());
        table.AddColumn(Column("played"));
        table.AddColumn(Column("expected", wide ? WidthOfAnEnding : null));
        table.AddColumn(Column("found", wide ? WidthOfAnEnding : null));
        table.AddColumn(Column("", 1));
        foreach (var result in results)
        {
            table.AddRow(
                new Markup($"{Markup.Escape(result.Name)}{(wide ? " " : "\n")}[grey]{ShortIds(result)}[/]"),
                new Text(result.Stage.Played),
                new Text(result.ExpectedEnding),
                new Text(Found(result), result.Held ? Style.Plain : new Style(Color.Red)),
                new Markup(Screen.MarkInColour(result)));
        }

        console.Write(table);
    }

    private static TableColumn Column(string head, int? width = null) => new TableColumn(head) { Width = width }.PadLeft(0).PadRight(1);

    public static void WriteFailures(IAnsiConsole console, IReadOnlyList<ScenarioResult> results)
    {
        foreach (var result in results.Where(result => !result.Held))
        {
            console.Write(new Rule($"[red]✗ {Markup.Escape(result.Name)}[/]").LeftJustified());
            WriteProblems(console, result.Problems);

            console.WriteLine($"  played    {result.Stage.Played}");
            foreach (var call in result.Found)
            {
                console.WriteLine();
                console.WriteLine($"  history of call {call.Id}, revision {call.Revision}");
                console.Write(History(call));
            }

            console.WriteLine();
        }
    }

    public static void WriteProblems(IAnsiConsole console, IReadOnlyList<Problem> problems)
    {
        foreach (var problem in problems)
        {
            console.Write(new Markup($"  [green]expected[/]  {Markup.Escape(problem.Expected)}\n"));
            console.Write(new Markup($"  [red]found[/]     {Markup.Escape(problem.Found)}\n"));
        }
    }

    private static string ShortIds(ScenarioResult result) => string.Join(' ', result.Stage.Calls.Select(call => call.ShortId));

    // A call may stand where it should and still have got there wrongly.
    private static string Found(ScenarioResult result) =>
        result.Held || result.FoundEnding != result.ExpectedEnding ? result.FoundEnding : $"{result.FoundEnding}, but see below";

    private static Table History(Host.CallView call)
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumns("at", "event", "source", "attempt", "status", "applied");
        foreach (var entry in call.History ?? [])
        {
            table.AddRow(
                new Text(entry.At.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)),
                new Text(entry.Event),
                new Text(entry.Source),
                new Text($"{entry.Attempt}"),
                new Text(entry.Status),
                new Text(entry.Applied switch { true => "yes", false => "no", null => "" }));
        }

        return table;
    }
}
