namespace CallOrchestration.Simulator;

/// <summary>The host did something else than the story has it.</summary>
#pragma warning disable CA1032 // always made with both halves, so that no failure says only one of them
internal sealed class ScenarioFailed(string expected, string found) : Exception($"expected: {expected}; found: {found}")
#pragma warning restore CA1032
{
    public string Expected { get; } = expected;

    public string Found { get; } = found;
}
