using Spectre.Console;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>
/// Shows the scenarios while they play: a table that lives where somebody watches, a line for each ended scenario where the output goes
/// to a file.
/// </summary>
internal sealed class Screen
{
    private static readonly TimeSpan BetweenFrames = TimeSpan.FromMilliseconds(100);

    // Head, foot and one line to spare.
    private const int LinesAroundTheRows = 7;

    // "COMPLETED no-answer, retries 1"; and with it the mark, the longest name and the gaps between.
    private const int WidthOfNow = 30;
    private const int WidthBesidesPlayed = 70;

    // A table wrapped to 80 columns is hard to read in a log, and nothing in a log needs it to be.
    private const int WidthOfAFile = 120;

    private readonly Lock _lock = new();
    private readonly Dictionary<Stage, ScenarioResult> _ended = [];

    private Screen(IAnsiConsole console) => Console = console;

    public IAnsiConsole Console { get; }

    /// <summary>The screen for standard output, without one control character where that is no terminal.</summary>
    public static Screen ForOutput()
    {
        var file = System.Console.IsOutputRedirected;
        var plain = file || Environment.GetEnvironmentVariable("TERM") == "dumb";
        var colourless = plain || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = colourless ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = plain ? InteractionSupport.No : InteractionSupport.Detect,

            // Left on, these give a build server's log the escapes of a terminal.
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = !plain },
        });
        if (file)
        {
            console.Profile.Width = WidthOfAFile;
        }

        return new(console);
    }

    public Task<IReadOnlyList<ScenarioResult>> Watch(Performance performance) =>
        Console.Profile.Capabilities is { Interactive: true, Ansi: true } ? WatchLive(performance) : performance.Play(result =>
        {
            lock (_lock)
            {
                Console.WriteLine($"{Mark(result)} {result.Name} ({result.Took.TotalSeconds:0.0} s)");
            }
        });

    private async Task<IReadOnlyList<ScenarioResult>> WatchLive(Performance performance)
    {
        IReadOnlyList<ScenarioResult> results = [];
        await Console.Live(Frame(performance)).AutoClear(true).StartAsync(async live =>
        {
            var play = performance.Play(result =>
            {
                lock (_lock)
                {
                    _ended[result.Stage] = result;
                }
            });
            while (await Task.WhenAny(play, Task.Delay(BetweenFrames)) != play)
            {
                live.UpdateTarget(Frame(performance));
            }

            results = await play;
        });
        return results;
    }

    private Table Frame(Performance performance)
    {
        lock (_lock)
        {
            var held = _ended.Values.Count(result => result.Held);
            var table = new Table().Border(TableBorder.Simple);
            table.AddColumn(new TableColumn("").NoWrap().Width(1));
            table.AddColumn(new TableColumn("scenario").NoWrap());
            table.AddColumn(new TableColumn("now").NoWrap().Width(WidthOfNow));
            table.AddColumn(new TableColumn("played").NoWrap());

            // What is over and went well is the first to leave a screen that is too low for all.
            var room = Math.Max(3, Console.Profile.Height - LinesAroundTheRows);
            var shown = performance.Stages.Count <= room
                ? performance.Stages
                : [.. performance.Stages.Where(stage => !_ended.TryGetValue(stage, out var result) || !result.Held).Take(room)];
            foreach (var stage in shown)
            {
                var result = _ended.GetValueOrDefault(stage);
                table.AddRow(
                    new Markup(result is null ? "[grey]·[/]" : MarkInColour(result)),
                    new Text(stage.Scenario.Name),
                    new Text(result is null ? stage.Doing : result.FoundEnding),
                    new Text(Latest(stage.Played), new Style(Color.Grey)));
            }

            var missed = _ended.Count - held;
            return table.Caption($"{held} of {performance.Stages.Count} held{(missed > 0 ? $", {missed} did not" : "")}");
        }
    }

    // One line for each scenario, or the table would jump up and down. The end of what was played is the news.
    private string Latest(string played)
    {
        var room = Math.Max(0, Console.Profile.Width - WidthBesidesPlayed);
        return played.Length <= room ? played : room < 10 ? "" : "…" + played[^(room - 1)..];
    }

    public static string Mark(ScenarioResult result) => result.Held ? "✓" : "✗";

    public static string MarkInColour(ScenarioResult result) => result.Held ? "[green]✓[/]" : "[red]✗[/]";
}
