using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>One thing that is measured.</summary>
/// <param name="What">In a sentence.</param>
/// <param name="Run">Measures it.</param>
internal sealed record Cell(string What, Func<Bench, CellReport, Task> Run);

/// <summary>Everything that can be measured, in the order in which it is.</summary>
internal static class Catalogue
{
    public static IReadOnlyDictionary<string, Cell> Cells { get; } = new Dictionary<string, Cell>
    {
        ["drain"] = new("A backlog of due calls: claimed, dialled by the fake dialler, recorded, all committed, with history.", Drain.Run),
        ["lateness"] = new("How long after its due time a call is dialled.", Lateness.Run),
        ["burst"] = new("Calls that are all due at the same instant: how long until the last is dialled.", Burst.Run),
        ["ingest"] = new("POST /api/calls/outbound, answered after the commit.", Ingest.Run),
        ["events"] = new("POST /webhooks/provider-event, answered after the commit.", Events.Run),
        ["reads"] = new("A single call with its history, and a page of the list.", Reads.Run),
        ["scale"] = new("The same work with ten thousand rows and with ten million.", Scale.Run),
        ["old-transaction"] = new("A drain while somebody's transaction stays open.", OldTransaction.Run),
        ["fairness"] = new("One organization's mountain of calls, and everybody else's few.", Fairness.Run),
        ["idle"] = new("A host with nothing due.", Idle.Run),
        ["start"] = new("From the start of the process until the host is ready.", StartUp.Run),
    };
}
