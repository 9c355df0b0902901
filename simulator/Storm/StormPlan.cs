using System.Globalization;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// All that a seed decides: the calls, what the provider does to each, and the faults of hosts and database. What it does not decide is
/// how real processes interleave.
/// </summary>
internal sealed record StormPlan(int Seed, IReadOnlyList<PlannedCall> Calls, IReadOnlyList<PlannedFault> Faults, int BatchSize)
{
    // From a claim of one call to one of all of them.
    private static readonly int[] BatchSizes = [1, 5, 50, 200, 500];

    private readonly Dictionary<string, PlannedCall> byNumber = Calls.ToDictionary(call => call.Customer);

    public static StormPlan Draw(StormOptions options, int seed)
    {
        var dice = new Random(seed);
        var calls = PlannedCalls.Draw(options, dice);
        return new(seed, calls, PlannedFaults.Draw(options, dice), BatchSizes[dice.Next(BatchSizes.Length)]);
    }

    public PlannedCall? Find(string customer) => byNumber.GetValueOrDefault(customer);

    public Script ScriptOf(string customer) => Find(customer)?.Script ?? Scripts.For(customer, Seed);

    /// <summary>What is planned, by name and how often.</summary>
    public IEnumerable<(string Fault, int Times)> ProviderFaults => Calls
        .SelectMany(call => call.ProviderFaults)
        .CountBy(fault => fault)
        .OrderBy(fault => fault.Key, StringComparer.Ordinal)
        .Select(fault => (fault.Key, fault.Value));

    /// <summary>For the screen: one line for each kind of call, each provider fault and each fault of hosts and database.</summary>
    public IEnumerable<string> Describe()
    {
        yield return Invariant($"seed {Seed}: {Calls.Count(call => call.Kind != CallKind.Probe)} calls, {Faults.Count} faults of hosts and database, batches of {BatchSize}");
        yield return $"  calls     {string.Join(", ", Calls.CountBy(call => call.Kind).OrderBy(kind => kind.Key).Select(kind => Invariant($"{kind.Value} {kind.Key.ToString().ToLowerInvariant()}")))}";
        yield return $"  provider  {string.Join(", ", ProviderFaults.Select(fault => Invariant($"{fault.Times} {fault.Fault}")))}";
        foreach (var fault in Faults) yield return $"  {fault.Describe()}";
        static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
