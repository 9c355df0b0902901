namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>All results of a run, and what it took.</summary>
internal sealed record LifecycleOutcome(IReadOnlyList<ScenarioResult> Results, int Webhooks, TimeSpan Took, int Seed)
{
    /// <summary>Null where nobody but the host knows what was dialled.</summary>
    public Witness? Witness { get; init; }

    public int Held => Results.Count(result => result.Held);

    public bool AllHeld => Held == Results.Count && Witness is not { Problems.Count: > 0 };

    public int Calls => Results.Sum(result => result.Stage.Calls.Count);

    public string Summary => Witness is { } witness
        ? $"{Held} of {Results.Count} scripts held, {Calls} calls, {witness.Dials} dials, {witness.Callbacks} callbacks, {Took.TotalSeconds:0.0} s, seed {Seed}"
        : $"{Held} of {Results.Count} scenarios held, {Calls} calls, {Webhooks} webhooks, {Took.TotalSeconds:0.0} s, seed {Seed}";
}

/// <summary>What the provider's ledger tells of the whole run.</summary>
/// <param name="Dials">Calls that it accepted.</param>
/// <param name="Callbacks">Deliveries that it tried.</param>
/// <param name="Problems">What belongs to no call that was played.</param>
internal sealed record Witness(int Dials, int Callbacks, IReadOnlyList<Problem> Problems);
