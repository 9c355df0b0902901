using System.CommandLine;
using static CallOrchestration.Simulator.Takes;

namespace CallOrchestration.Simulator.Storm;

/// <summary><c>storm</c>: its options, and which of them contradict each other.</summary>
internal static class StormCommand
{
    private const int StandardFaults = 20;

    private static readonly Option<int?> Seed = Number("--seed", "Draws the same calls, scripts and faults again. A new one each time, and printed.", null, 0, 1_000_000_000);
    private static readonly Option<int?> Seeds = Number("--seeds", "How many storms, with this seed and the ones after it.", 1, 1, 100_000);
    private static readonly Option<int?> Calls = Number("--calls", "Calls in each storm.", 100, 1, 100_000);
    private static readonly Option<int?> Hosts = Number("--hosts", "Hosts that share the database.", 2, 1, 10);

    private static readonly Option<int?> Faults = Number(
        "--faults", $"Faults of hosts and database in each storm; {StandardFaults} unless there are few calls. The provider's come with the calls.", null, 0, 1000);

    private static readonly Option<string[]> Failpoints = new("--failpoint")
    {
        Description = $"Strikes hosts at this place only; may be given several times. {string.Join(", ", PlannedFaults.Failpoints.Keys)}.",
        HelpName = "NAME",
    };

    private static readonly Option<bool> OneStaysDead = new("--one-stays-dead") { Description = "The first host that is killed is never started again: the others must finish everything." };

    private static readonly Option<bool> Soak = new("--soak") { Description = "All storms on the same hosts, of which none is killed: what they leave behind adds up." };

    private static readonly Option<bool> UntilBroken = new("--until-broken") { Description = "Ends with the first storm that does not hold." };

    private static readonly Option<FileInfo?> ReportFile = new("--report")
    {
        Description = "Writes the result as JSON.",
        HelpName = "FILE",
        CustomParser = Parsed(text => new FileInfo(text) is { Directory.Exists: true } file && !Directory.Exists(text) ? file : null, "a file in a folder that exists"),
    };

    private static readonly Option<DirectoryInfo?> Keep = new("--keep")
    {
        Description = "Keeps the logs of the hosts and the ledger of the provider in this folder; else they go with the run.",
        HelpName = "FOLDER",
        CustomParser = Parsed(text => new DirectoryInfo(text) is { Exists: true } folder ? folder : null, "a folder that exists"),
    };

    private static readonly Option<FileInfo?> Host = new("--host")
    {
        Description = "The host's DLL; the one built beside this program if not given.",
        HelpName = "FILE",
        CustomParser = Parsed(text => new FileInfo(text) is { Exists: true } file ? file : null, "the host's DLL"),
    };

    public static Command Create()
    {
        var command = new Command("storm",
            """
            Starts a PostgreSQL, hosts and the provider, plays calls, and kills, freezes, cuts and lies to all of them, as a seed has it.

            Then the provider's ledger, and every version of every row, are held against what must be true (the invariants that it prints).
            Exit code 0 if every invariant held and every planned fault struck, 1 if not, 2 for wrong options, 130 after Ctrl-C.
            """)
        {
            Seed, Seeds, Calls, Hosts, Faults, Failpoints, OneStaysDead, Soak, UntilBroken, ReportFile, Keep, Host,
        };
        command.SetAction((parsed, cancellation) =>
        {
            if (Contradictions(parsed).FirstOrDefault() is { } wrong)
            {
                Console.Error.WriteLine(wrong);
                return Task.FromResult(ExitCode.BadOptions);
            }

            var (calls, places) = (parsed.GetValue(Calls)!.Value, parsed.GetValue(Failpoints) ?? []);
            return StormRun.Play(
                new StormOptions
                {
                    Seed = parsed.GetValue(Seed) ?? Random.Shared.Next(1, 1_000_000_000),
                    Seeds = parsed.GetValue(Seeds)!.Value,
                    Calls = calls,
                    Hosts = parsed.GetValue(Hosts)!.Value,
                    Faults = parsed.GetValue(Faults) ?? StandardFaultsFor(calls, places),
                    Failpoints = places,
                    OneStaysDead = parsed.GetValue(OneStaysDead),
                    Soak = parsed.GetValue(Soak),
                    UntilBroken = parsed.GetValue(UntilBroken),
                    Report = parsed.GetValue(ReportFile),
                    Keep = parsed.GetValue(Keep),
                    Host = parsed.GetValue(Host),
                },
                cancellation);
        });
        return command;
    }

    private static IEnumerable<string> Contradictions(ParseResult given)
    {
        var (calls, faults, places) = (given.GetValue(Calls)!.Value, given.GetValue(Faults) ?? 0, given.GetValue(Failpoints) ?? []);
        var unknown = places.Where(name => !PlannedFaults.Failpoints.ContainsKey(name)).ToList();
        foreach (var name in unknown) yield return $"There is no failpoint '{name}'; there are {string.Join(", ", PlannedFaults.Failpoints.Keys)}.";
        if (faults > calls) yield return $"--faults {faults} are more than the {calls} calls of --calls: most would never strike.";
        else if (unknown.Count == 0 && !Fit(faults, calls, places)) yield return $"--faults {faults} are more than {calls} calls bring past {string.Join(", ", places)}.";
        if (given.GetValue(OneStaysDead) && given.GetValue(Hosts) < 2) yield return "--one-stays-dead needs --hosts 2 or more: nobody would be left.";
        if (given.GetValue(OneStaysDead) && given.GetValue(Soak)) yield return "--one-stays-dead and --soak exclude each other.";
    }

    private static bool Fit(int faults, int calls, string[] places) =>
        PlannedFaults.AtHostsOf(faults) <= PlannedFaults.Room(places.Length > 0 ? places : PlannedFaults.Failpoints.Keys, calls);

    private static int StandardFaultsFor(int calls, string[] places)
    {
        var faults = Math.Min(StandardFaults, calls / 5);
        while (!Fit(faults, calls, places)) faults--;
        return faults;
    }

    private static Option<int?> Number(string name, string description, int? usual, int least, int most)
    {
        var option = new Option<int?>(name)
        {
            Description = description,
            HelpName = "NUMBER",
            CustomParser = ParsedValue<int>(text => Whole(text, least, most), $"a whole number from {least} to {most}"),
        };
        if (usual is not null) option.DefaultValueFactory = _ => usual;
        return option;
    }
}
