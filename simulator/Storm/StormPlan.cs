using System.Collections.Concurrent;
using System.Globalization;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// All that a seed decides: the calls, what the provider does to each, and the faults of hosts and database. What it does not decide is
/// how real processes interleave.
/// </summary>
/// <param name="Seed">What all of it is drawn from.</param>
/// <param name="Drawn">The calls.</param>
/// <param name="Faults">Those of hosts and database.</param>
/// <param name="BatchSize">The most calls that a host claims at once.</param>
/// <param name="CommitDelay">How much longer each commit takes, as on a slower disk.</param>
/// <param name="Reserve">Numbers for calls beyond those.</param>
internal sealed record StormPlan(
    int Seed, IReadOnlyList<PlannedCall> Drawn, IReadOnlyList<PlannedFault> Faults, int BatchSize, TimeSpan CommitDelay, Queue<string> Reserve)
{
    // For each fault of the provider that did not strike, and for hosts that did not come past a failpoint often enough.
    private const int CallsForAFault = 3;
    private const int CallsForAFailpoint = 24;

    // From a claim of one call to one of all of them.
    private static readonly int[] BatchSizes = [1, 5, 50, 200, 500];

    // From none to one in which much can happen between the rows of a statement and its commit.
    private static readonly int[] CommitDelays = [0, 5, 100];

    private readonly ConcurrentDictionary<string, PlannedCall> byNumber = new(Drawn.Select(call => KeyValuePair.Create(call.Customer, call)));

    /// <summary>Those that were drawn, and the encores.</summary>
    public ICollection<PlannedCall> Calls => byNumber.Values;

    public static StormPlan Draw(StormOptions options, int seed)
    {
        var dice = new Random(seed);
        var (calls, reserve) = PlannedCalls.Draw(options, dice);
        return new(
            seed, calls, PlannedFaults.Draw(options, dice), BatchSizes[dice.Next(BatchSizes.Length)],
            TimeSpan.FromMilliseconds(CommitDelays[dice.Next(CommitDelays.Length)]), reserve);
    }

    /// <summary>
    /// More calls like those that were drawn, so that what is planned and has not struck can: a call may have been called off, or lost its
    /// dial to another fault, before it met its own.
    /// </summary>
    public IReadOnlyList<PlannedCall> Encore(IReadOnlyCollection<string> missedOfProvider, bool missedAtHosts, TimeSpan now)
    {
        var like = missedOfProvider.SelectMany(fault => Enumerable.Repeat(Drawn.First(call => call.ProviderFaults.Contains(fault)), CallsForAFault)).ToList();
        if (missedAtHosts) like.AddRange(Drawn.Where(call => call.Kind is not (CallKind.Probe or CallKind.Cancelled)).Reverse().Take(CallsForAFailpoint));
        var encore = like.Where(_ => Reserve.Count > 0).Select((call, place) => call with
        {
            Number = byNumber.Count + place,
            Customer = Reserve.Dequeue(),
            Kind = call.IsOutbound ? CallKind.Now : CallKind.Inbound,
            CreatedAt = now + TimeSpan.FromMilliseconds(50 * place),
            Requests = 1,
        }).ToList();
        foreach (var call in encore) byNumber[call.Customer] = call;
        return encore;
    }

    public PlannedCall? Find(string customer) => byNumber.GetValueOrDefault(customer);

    public Script ScriptOf(string customer) => Find(customer)?.Script ?? Scripts.For(customer, Seed);

    /// <summary>What is planned, by name and how often.</summary>
    public IEnumerable<(string Fault, int Times)> ProviderFaults => Drawn
        .SelectMany(call => call.ProviderFaults)
        .CountBy(fault => fault)
        .OrderBy(fault => fault.Key, StringComparer.Ordinal)
        .Select(fault => (fault.Key, fault.Value));

    /// <summary>For the screen: one line for each kind of call, each provider fault and each fault of hosts and database.</summary>
    public IEnumerable<string> Describe()
    {
        yield return Invariant($"seed {Seed}: {Drawn.Count(call => call.Kind != CallKind.Probe)} calls, {Faults.Count} faults of hosts and database, batches of {BatchSize}, commits {CommitDelay.TotalMilliseconds} ms late");
        yield return $"  calls     {string.Join(", ", Drawn.Where(call => call.Kind != CallKind.Probe).CountBy(call => call.Kind).OrderBy(kind => kind.Key).Select(kind => Invariant($"{kind.Value} {kind.Key.ToString().ToLowerInvariant()}")))}";
        yield return $"  provider  {string.Join(", ", ProviderFaults.Select(fault => Invariant($"{fault.Times} {fault.Fault}")))}";
        foreach (var fault in Faults) yield return $"  {fault.Describe()}";
        static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
