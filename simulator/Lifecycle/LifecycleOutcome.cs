namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>All results of a run, and what it took.</summary>
internal sealed record LifecycleOutcome(IReadOnlyList<ScenarioResult> Results, int Webhooks, TimeSpan Took, int Seed)
{
    public int Held => Results.Count(result => result.Held);

    public bool AllHeld => Held == Results.Count;

    public int Calls => Results.Sum(result => result.Stage.Calls.Count);

    public string Summary =>
        $"{Held} of {Results.Count} scenarios held, {Calls} calls, {Webhooks} webhooks, {Took.TotalSeconds:0.0} s, seed {Seed}";
}
