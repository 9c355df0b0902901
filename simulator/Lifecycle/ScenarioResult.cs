using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>How one scenario went.</summary>
/// <param name="Found">Where the calls stood when the host was asked at the end; null if it could not be asked.</param>
internal sealed record ScenarioResult(Stage Stage, IReadOnlyList<CallView> Found, IReadOnlyList<Problem> Problems, TimeSpan Took)
{
    public string Name => Stage.Scenario.Name;

    public bool Held => Problems.Count == 0;

    public string ExpectedEnding => Stage.Scenario.Ending.ToString();

    /// <summary>The ending that was found, or the first that differs where there are several calls.</summary>
    public string FoundEnding => Found
        .Select(Ending.Of)
        .OrderBy(ending => ending == Stage.Scenario.Ending)
        .Select(ending => ending.ToString())
        .FirstOrDefault("no call");
}
