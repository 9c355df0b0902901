using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>
/// A row of <c>calls</c> as text for a snapshot: each column that is not null, and the history a line each. What differs from run to run is
/// scrubbed: our ids, the provider's ids that the fake made up, and times of today. What the provider said stays.
/// </summary>
internal static partial class RowSnapshot
{
    private static readonly string[] Left = ["id", "organization_id", "history", "idempotency_key", "idempotency_hash", "claim_id", "look_ups"];

    /// <param name="database">Where the row is.</param>
    /// <param name="id">The call.</param>
    /// <param name="madeUpSids">The CallSids are the fake dialler's or the simulator's, another one in each run.</param>
    /// <param name="anyOrder">What happened came over two ways at once, so its order differs from run to run: the history is sorted.</param>
    public static async Task<string> Of(NpgsqlDataSource database, Guid id, bool madeUpSids = false, bool anyOrder = false)
    {
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var row = JsonNode.Parse(await connection.QuerySingleAsync<string>("select row_to_json(c) from calls c where id = @id", new { id }))!.AsObject();
        var text = new StringBuilder();
        foreach (var (column, value) in row.Where(column => column.Value is not null && !Left.Contains(column.Key)))
            text.Append(column).Append(": ").AppendLine(value!.ToString());
        text.AppendLine(anyOrder ? "history, in any order:" : "history:");
        var history = new List<string>();
        foreach (var entry in row["history"]!.AsArray().Select(entry => entry!.AsObject()))
        {
            var details = (entry["details"] as JsonObject)?.OrderBy(detail => detail.Key, StringComparer.Ordinal).Select(detail => $"{detail.Key}={detail.Value}");
            var applied = entry["applied"] is { } change ? (bool)change ? " (applied)" : " (not applied)" : "";
            // In any order the status after an entry differs too.
            var status = anyOrder ? "" : $" -> {entry["status"]}";
            var line = $"  {entry["attempt"]} {entry["source"]} {entry["event"]}{status}{applied} {string.Join(" ", details ?? [])}";
            history.Add(Scrub(line.TrimEnd(), madeUpSids));
        }

        if (anyOrder) history.Sort(StringComparer.Ordinal);
        return Scrub(text.ToString(), madeUpSids) + string.Concat(history.Select(line => line + "\n"));
    }

    private static string Scrub(string text, bool madeUpSids)
    {
        text = Uuid().Replace(text, "<id>");
        text = (madeUpSids ? AnySid() : DialledSid()).Replace(text, "<sid>");
        return Time().Replace(text, found =>
            DateTimeOffset.TryParse(found.Value, out var time) && (DateTimeOffset.UtcNow - time).Duration() < TimeSpan.FromDays(2) ? "<time>" : found.Value)
            .ReplaceLineEndings("\n");
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    // What the fake dialler answered a dial with.
    [GeneratedRegex("(?<= provider_call_id=)[0-9a-z]{32}")]
    private static partial Regex DialledSid();

    [GeneratedRegex("(?<=provider_call_id[:=] ?|CallSid=)[0-9a-z]{32}|(?<=recordings[.]example[.]com/)[0-9a-z]{32}|(?<=StreamS[Ii][Dd][^0-9a-z]{1,3})[0-9a-z]{16,32}")]
    private static partial Regex AnySid();

    // Ours, and the two formats of the provider.
    [GeneratedRegex(@"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|\+[0-9:]+)?|[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]+")]
    private static partial Regex Time();
}
