using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>Where a call stands, in the three words that matter at the end.</summary>
internal sealed record Ending(string Status, string? Outcome, int Retries)
{
    public static Ending Completed(string outcome, int retries = 0) => new("COMPLETED", outcome, retries);

    public static Ending Of(CallView call) => new(call.Status, call.Outcome, call.Retries);

    public override string ToString() => (Outcome, Retries) switch
    {
        (null, 0) => Status,
        (null, _) => $"{Status}, retries {Retries}",
        (_, 0) => $"{Status} {Outcome}",
        _ => $"{Status} {Outcome}, retries {Retries}",
    };
}
