using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What one storm showed.</summary>
internal sealed record StormResult(StormPlan Plan, IReadOnlyList<Violation> Violations)
{
    /// <summary>What was planned and did not strike: the storm has not shown what it was to show.</summary>
    public required IReadOnlyList<string> Missed { get; init; }

    public required IReadOnlyCollection<Strike> Strikes { get; init; }

    public required IReadOnlyDictionary<string, int> ProviderFaults { get; init; }

    public required int Dials { get; init; }
    public required int Webhooks { get; init; }

    /// <summary>From a call's time to its claim by a scheduler, in milliseconds.</summary>
    public required IReadOnlyList<double> Lateness { get; init; }

    /// <summary>From a call's creation to its end, in seconds.</summary>
    public required IReadOnlyList<double> Lives { get; init; }

    public required IReadOnlyDictionary<string, int> Outcomes { get; init; }
    public required IReadOnlyList<AtRest> Before { get; init; }
    public required IReadOnlyList<AtRest> After { get; init; }
    public required TimeSpan Took { get; init; }

    public bool Held => Violations.Count == 0;

    public bool IsValid => Missed.Count == 0;

    public static StormResult Of(Evidence evidence, IEnumerable<Violation> violations, IReadOnlyList<AtRest> before, IReadOnlyList<AtRest> after)
    {
        var (round, calls) = (evidence.Round, evidence.Calls);
        return new(round.Plan, [.. violations])
        {
            Missed = round.Missed,
            Strikes = round.Strikes.All,
            ProviderFaults = round.Strikes.Provider,
            Dials = round.Ledger.Count(entry => entry.Kind == LedgerKind.Dial),
            Webhooks = round.Ledger.Count(entry => entry.Kind == LedgerKind.Callback) + calls.Sum(call => call.Client.Told.Count),
            Lateness = [.. calls.SelectMany(Late).Order()],
            Lives = [.. calls.SelectMany(Life).Order()],
            Outcomes = calls.SelectMany(call => call.Rows).CountBy(row => row.Outcome ?? row.Status).ToDictionary(),
            Before = before,
            After = after,
            Took = round.Ended - round.Began,
        };
    }

    private static IEnumerable<double> Late(CallEvidence call)
    {
        foreach (var (before, after) in call.Versions.Zip(call.Versions.Skip(1)))
        {
            if (before is { Status: "PENDING", NextActionAt: { } due } && after is { Status: "IN_PROGRESS", StartedAt: { } started } && !call.Plan.IsHeld)
                yield return (started - due).TotalMilliseconds;
        }
    }

    private static IEnumerable<double> Life(CallEvidence call)
    {
        if (call.Versions.FirstOrDefault(version => version.Status == "COMPLETED") is { } end) yield return (end.At - call.Versions[0].At).TotalSeconds;
    }
}
