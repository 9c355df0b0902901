using System.CommandLine;
using CallOrchestration.Benchmarks.Cells;

namespace CallOrchestration.Benchmarks;

internal static class ExitCode
{
    public const int TargetsMissed = 1;
    public const int WrongOptions = 2;
    public const int Interrupted = 130;
}

/// <summary>The two disks that every throughput cell is measured on: this one, and one whose every commit takes 5 ms longer.</summary>
internal enum Disk
{
    AsItIs,
    Slower,
}

/// <param name="Cells">Names of the cells to run, in the order of <see cref="Catalogue"/>.</param>
/// <param name="Runs">How often each contender is measured.</param>
/// <param name="Rows">The calls of the cell drain; every other cell grows and shrinks with it.</param>
/// <param name="Disks">The passes of the throughput cells.</param>
/// <param name="Alone">The product without its peers.</param>
/// <param name="Json">Also gets every figure.</param>
/// <param name="Keep">Leaves PostgreSQL's data and the databases.</param>
/// <param name="Trace">Says how to attach, and lists the statements that PostgreSQL spent its time on.</param>
internal sealed record BenchmarkOptions(
    IReadOnlyList<string> Cells, int Runs, int Rows, IReadOnlyList<Disk> Disks, bool Alone, FileInfo? Json, bool Keep, bool Trace)
{
    public const int FullRows = 100_000;

    /// <summary>A number of a cell, grown or shrunk as <see cref="Rows"/> is against the full size.</summary>
    public int Scaled(int full, int least) => (int)Math.Max(least, (long)full * Rows / FullRows);

    /// <summary>A duration of a cell; never longer than in full, since more rows do not need it.</summary>
    public TimeSpan Scaled(TimeSpan full, TimeSpan least) =>
        TimeSpan.FromTicks(Math.Clamp((long)((double)full.Ticks * Rows / FullRows), least.Ticks, full.Ticks));
}

/// <summary>The command line.</summary>
internal static class BenchmarkCommand
{
    private const string All = "all";

    private static readonly Argument<string[]> Names = new("cells")
    {
        Description = $"What to measure: {string.Join(", ", Catalogue.Cells.Keys)}, or all. All if not given.",
        DefaultValueFactory = _ => [All],
    };

    private static readonly Option<int> Runs = new("--runs")
    {
        Description = "How often each contender is measured, in alternating order.",
        HelpName = "NUMBER",
        DefaultValueFactory = _ => 5,
    };

    private static readonly Option<int> Rows = new("--rows")
    {
        Description = $"Calls in the cell drain, {BenchmarkOptions.FullRows} in full. Every other cell shrinks with it: 2000 tries everything out.",
        HelpName = "NUMBER",
        DefaultValueFactory = _ => BenchmarkOptions.FullRows,
    };

    private static readonly Option<string> Disks = new("--disk")
    {
        Description = "as-is: this disk. slower: with commit_delay=5000 and commit_siblings=0. both: the throughput cells run twice.",
        HelpName = "as-is|slower|both",
        DefaultValueFactory = _ => "both",
    };

    private static readonly Option<bool> Alone = new("--alone")
    {
        Description = "Only the product itself, for whoever is at work on it; targets that name a peer are left out.",
    };

    private static readonly Option<FileInfo?> Json = new("--json")
    {
        Description = "Also writes every figure and query plan to this file.",
        HelpName = "FILE",
    };

    private static readonly Option<bool> Keep = new("--keep") { Description = "Leaves the data of PostgreSQL where it is, and says where." };

    private static readonly Option<bool> Trace = new("--trace")
    {
        Description = "Says how to attach a profiler to each host, and lists the statements on which PostgreSQL spent its time.",
    };

    public static RootCommand Create()
    {
        Names.Validators.Add(given =>
        {
            if (given.Tokens.FirstOrDefault(token => token.Value != All && !Catalogue.Cells.ContainsKey(token.Value)) is { } unknown)
                given.AddError($"There is no cell '{unknown.Value}'; there are {string.Join(", ", Catalogue.Cells.Keys)}, and all.");
        });
        Runs.Validators.Add(given => Check(given.GetValueOrDefault<int>() is >= 1 and <= 100, given, "--runs takes a number from 1 to 100."));
        Rows.Validators.Add(given => Check(given.GetValueOrDefault<int>() is >= 500 and <= 1_000_000, given, "--rows takes a number from 500 to 1000000."));
        Disks.Validators.Add(given => Check(given.GetValueOrDefault<string>() is "as-is" or "slower" or "both", given, "--disk takes as-is, slower or both."));

        var root = new RootCommand(
            """
            Measures CallOrchestration beside what would be used instead, on the same PostgreSQL, in the same run.

            Exit code 0 if every target of the cells that were run was reached, 1 if one was missed, 2 for wrong options, 130 after Ctrl-C.
            """)
        {
            Names, Runs, Rows, Disks, Alone, Json, Keep, Trace,
        };
        root.SetAction((parsed, cancellation) => BenchmarkRun.Run(Options(parsed), cancellation));
        return root;
    }

    private static BenchmarkOptions Options(ParseResult parsed)
    {
        var names = parsed.GetValue(Names)!;
        return new(
            [.. Catalogue.Cells.Keys.Where(cell => names.Contains(All) || names.Contains(cell))],
            parsed.GetValue(Runs),
            parsed.GetValue(Rows),
            parsed.GetValue(Disks) switch { "as-is" => [Disk.AsItIs], "slower" => [Disk.Slower], _ => [Disk.AsItIs, Disk.Slower] },
            parsed.GetValue(Alone),
            parsed.GetValue(Json),
            parsed.GetValue(Keep),
            parsed.GetValue(Trace));
    }

    private static void Check(bool right, System.CommandLine.Parsing.SymbolResult given, string takes)
    {
        if (!right) given.AddError(takes);
    }
}
