using System.Collections.Concurrent;

namespace CallOrchestration.Simulator.Storm;

/// <summary>A fault that struck.</summary>
internal sealed record Strike(DateTimeOffset At, string Fault, string Where);

/// <summary>From one moment to another something was broken, and what takes longer then is no host's fault.</summary>
internal sealed record Outage(DateTimeOffset From, DateTimeOffset To);

/// <summary>Counts the faults as they strike: what is planned and does not strike makes a storm invalid.</summary>
internal sealed class Strikes
{
    private readonly ConcurrentQueue<Strike> struck = [];
    private readonly ConcurrentDictionary<string, int> provider = [];
    private readonly ConcurrentDictionary<PlannedFault, bool> planned = [];
    private readonly ConcurrentQueue<Outage> outages = [];

    /// <summary>Told of each fault of hosts and database.</summary>
    public Action<Strike> Said { get; init; } = _ => { };

    public IReadOnlyCollection<Strike> All => struck;

    public IReadOnlyDictionary<string, int> Provider => provider;

    public IReadOnlyCollection<Outage> Outages => outages;

    public bool HasStruck(PlannedFault fault) => planned.ContainsKey(fault);

    public void Provide(string fault) => provider.AddOrUpdate(fault, 1, (_, times) => times + 1);

    public void Strike(PlannedFault fault, string where)
    {
        planned[fault] = true;
        var strike = new Strike(DateTimeOffset.UtcNow, fault.Failpoint is null ? fault.Name : $"{fault.Name} at {fault.Failpoint}", where);
        struck.Enqueue(strike);
        Said(strike);
    }

    /// <summary>Runs something that breaks what others wait for.</summary>
    public async Task During(Func<Task> outage)
    {
        var from = DateTimeOffset.UtcNow;
        await outage();
        Note(new(from, DateTimeOffset.UtcNow));
    }

    public void Note(Outage outage) => outages.Enqueue(outage);

    /// <summary>Whether anything struck in a span, or was broken.</summary>
    public bool Within(DateTimeOffset from, DateTimeOffset to) =>
        struck.Any(strike => strike.At >= from && strike.At <= to) || outages.Any(outage => outage.From <= to && outage.To >= from);

    /// <summary>How much of a span was taken up by outages; two at once count twice, as what they hold up may be held up twice.</summary>
    public TimeSpan BrokenWithin(DateTimeOffset from, DateTimeOffset to) => outages
        .Select(outage => (From: outage.From > from ? outage.From : from, To: outage.To < to ? outage.To : to))
        .Where(part => part.To > part.From)
        .Aggregate(TimeSpan.Zero, (sum, part) => sum + (part.To - part.From));
}
