using System.Text.Encodings.Web;
using System.Text.Json;

namespace CallOrchestration.Simulator.Storm;

/// <summary>The storms as a file, for machines.</summary>
internal static class StormReport
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Task Write(FileInfo file, StormOptions options, IReadOnlyList<StormResult> results) =>
        File.WriteAllTextAsync(file.FullName, JsonSerializer.Serialize(new
        {
            options.Seed,
            Storms = results.Count,
            options.Calls,
            options.Hosts,
            Passed = results.All(result => result.Held && result.IsValid),
            Invariants = Invariant.All.Select(invariant => new
            {
                invariant.Id,
                invariant.Name,
                invariant.Says,
                Violations = results.Sum(result => result.Violations.Count(violation => violation.Invariant == invariant)),
            }),
            Struck = results.SelectMany(result => result.Strikes).CountBy(strike => strike.Fault).OrderBy(fault => fault.Key, StringComparer.Ordinal).ToDictionary(),
            ProviderFaults = results.SelectMany(result => result.ProviderFaults).GroupBy(fault => fault.Key, fault => fault.Value)
                .OrderBy(fault => fault.Key, StringComparer.Ordinal).ToDictionary(fault => fault.Key, fault => fault.Sum()),
            Results = results.Select(result => new
            {
                result.Plan.Seed,
                result.Held,
                result.IsValid,
                Violations = result.Violations.Select(violation => new { violation.Invariant.Id, violation.What }),
                result.Missed,
                Plan = result.Plan.Describe().Select(line => line.Trim()),
                result.Strikes,
                result.ProviderFaults,
                result.Dials,
                result.Webhooks,
                result.Outcomes,
                LatenessMs = Percentiles(result.Lateness),
                LifeSeconds = Percentiles(result.Lives),
                result.Before,
                result.After,
                Seconds = Math.Round(result.Took.TotalSeconds, 1),
            }),
        }, Readable) + "\n");

    private static Dictionary<string, double>? Percentiles(IReadOnlyList<double> sorted) => sorted.Count == 0 ? null : new()
    {
        ["p50"] = Math.Round(sorted[sorted.Count / 2], 1),
        ["p99"] = Math.Round(sorted[sorted.Count * 99 / 100], 1),
        ["max"] = Math.Round(sorted[^1], 1),
    };
}
