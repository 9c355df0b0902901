using System.Text.Encodings.Web;
using System.Text.Json;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>The run as a file, for tests and scripts: which calls were played, and how each scenario went.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // no page ever shows it, and "×" should read as such
    };

    private sealed record Run(int Seed, bool Passed, int Calls, int Webhooks, int? Dials, double Seconds, IEnumerable<string> Errors, IEnumerable<Entry> Scenarios);

    private sealed record Entry(
        string Name,
        IEnumerable<Guid> CallIds,
        IEnumerable<string> ProviderCallIds,
        string Played,
        string Expected,
        string Found,
        bool Passed,
        string? Error,
        double Seconds);

    public static async Task Write(FileInfo file, LifecycleOutcome outcome)
    {
        var run = new Run(
            outcome.Seed,
            outcome.AllHeld,
            outcome.Calls,
            outcome.Witness?.Callbacks ?? outcome.Webhooks,
            outcome.Witness?.Dials,
            Math.Round(outcome.Took.TotalSeconds, 3),
            outcome.Witness?.Problems.Select(InWords) ?? [],
            outcome.Results.Select(result => new Entry(
                result.Name,
                result.Stage.Calls.Select(call => call.Id),
                result.Stage.Calls.SelectMany(call => call.CallSids),
                result.Stage.Played,
                result.ExpectedEnding,
                result.FoundEnding,
                result.Held,
                result.Held ? null : string.Join("\n", result.Problems.Select(InWords)),
                Math.Round(result.Took.TotalSeconds, 3))));
        await File.WriteAllTextAsync(file.FullName, JsonSerializer.Serialize(run, Readable) + "\n");
    }

    private static string InWords(Problem problem) => $"expected {problem.Expected}; found {problem.Found}";
}
