namespace CallOrchestration.Simulator;

/// <summary>The host did something else than the story has it. Always made with both halves, so that no failure tells only one.</summary>
internal sealed class ScenarioFailed(string expected, string found) : Exception($"expected: {expected}; found: {found}")
{
    public string Expected { get; } = expected;

    public string Found { get; } = found;
}
