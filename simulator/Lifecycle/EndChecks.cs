using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>One thing that is not as it was played.</summary>
internal sealed record Problem(string Expected, string Found);

/// <summary>Holds a call, as the API shows it and as its row has it, against what was played.</summary>
internal static class EndChecks
{
    // Callbacks tell whole seconds, so a time taken from one may lie up to a second before a time of the host's own.
    private static readonly TimeSpan CallbackPrecision = TimeSpan.FromSeconds(1);

    public static IEnumerable<Problem> OfApi(PlayedCall played, Ending ending, CallView call) =>
        Facts(played, ending, call).Concat(Times(played, call)).Concat(History(played, call.History ?? [])).Where(problem => problem is not null)!;

    /// <summary>The same from PostgreSQL itself, and that both witnesses tell one story.</summary>
    public static IEnumerable<Problem> OfRow(PlayedCall played, CallView call, CallRow row)
    {
        var history = ApiReply.History(row.History);
        Problem?[] facts =
        [
            Same("row: direction", call.Direction, row.Direction),
            Same("row: status", call.Status, row.Status),
            Same("row: outcome", call.Outcome, row.Outcome),
            Same("row: from_number", call.From, row.FromNumber),
            Same("row: to_number", call.To, row.ToNumber),
            Same("row: retries", call.Retries, row.Retries),
            Same("row: next_action_at", Clock(call.NextActionAt), Clock(row.NextActionAt)),
            Same("row: provider_call_id", call.ProviderCallId, row.ProviderCallId),
            Same("row: started_at", Clock(call.StartedAt), Clock(row.StartedAt)),
            Same("row: answered_at", Clock(call.AnsweredAt), Clock(row.AnsweredAt)),
            Same("row: ended_at", Clock(call.EndedAt), Clock(row.EndedAt)),
            Same("row: duration_seconds", call.DurationSeconds, row.DurationSeconds),
            Same("row: recording_url", call.RecordingUrl, row.RecordingUrl),
            Same("row: revision", call.Revision, row.Revision),
            Holds(row.UpdatedAt >= row.CreatedAt, "row: updated_at not before created_at", $"{row.UpdatedAt:O} before {row.CreatedAt:O}"),
            Holds(
                row.Revision >= history.Count,
                $"row: a revision for each of {history.Count} history entries", $"revision {row.Revision}"),
            played.CallSids.Count > 1
                ? Same("row: previous_provider_call_id", played.CallSids[^2], row.PreviousProviderCallId)
                : null,
        ];
        return facts
            .Concat(History(played, history).Select(problem => problem is null ? null : problem with { Expected = $"row: {problem.Expected}" }))
            .Where(problem => problem is not null)!;
    }

    private static IEnumerable<Problem?> Facts(PlayedCall played, Ending ending, CallView call) =>
    [
        Same("status", ending.Status, call.Status),
        Same("outcome", ending.Outcome, call.Outcome),
        Same("retries", ending.Retries, call.Retries),
        Same("direction", played.Direction, call.Direction),
        Same("from", played.From, call.From),
        Same("to", played.To, call.To),
        Same("provider_call_id", played.CallSids.LastOrDefault(), call.ProviderCallId),
        Same("next_action_at of a call that is over", null, Clock(call.NextActionAt)),
        played.TalkSeconds is { } seconds && played.RecordingUrl is not null ? Same("duration_seconds", seconds, call.DurationSeconds) : null,
        played.RecordingUrl is { } recording ? Same("recording_url", recording, call.RecordingUrl) : null,
        played is OutboundCall outbound ? SameMetadata(outbound.Metadata, call.Metadata) : null,
    ];

    private static IEnumerable<Problem?> Times(PlayedCall played, CallView call)
    {
        if (!played.HasTimes)
        {
            yield break;
        }

        if (played.CallSids.Count == 0)
        {
            yield return Same("started_at of a call that was never dialled", null, Clock(call.StartedAt));
            yield return Same("answered_at of a call that was never dialled", null, Clock(call.AnsweredAt));
            yield break;
        }

        yield return Holds(call.StartedAt is not null, "started_at of a call that took place", "null");
        yield return Holds(call.EndedAt is not null, "ended_at of a call that is over", "null");
        yield return Holds(!played.WasAnswered || call.AnsweredAt is not null, "answered_at of an answered call", "null");
        yield return InOrder("answered_at", call.AnsweredAt, "started_at", call.StartedAt);
        yield return InOrder("ended_at", call.EndedAt, "started_at", call.StartedAt);
        yield return InOrder("ended_at", call.EndedAt, "answered_at", call.AnsweredAt);
        yield return Holds(call.UpdatedAt >= call.CreatedAt, "updated_at not before created_at", $"{call.UpdatedAt:O} before {call.CreatedAt:O}");
    }

    private static IEnumerable<Problem?> History(PlayedCall played, IReadOnlyList<HistoryEntry> history)
    {
        var dialledHere = played.AcceptedDials;
        for (var attempt = 1; attempt <= dialledHere; attempt++)
        {
            var dials = history.Count(entry => entry.Event == "dial-accepted" && entry.Attempt == attempt);
            yield return Same($"history: dial-accepted of attempt {attempt}", 1, dials);
        }

        yield return Same("history: dial-accepted in all", dialledHere, history.Count(entry => entry.Event == "dial-accepted"));
        foreach (var word in played.Words)
        {
            yield return Holds(
                history.Any(entry => entry.Source == "provider" && entry.Event == word),
                $"history: the provider's '{word}'", "not there");
        }

        for (var i = 1; i < history.Count; i++)
        {
            yield return Holds(
                history[i].At >= history[i - 1].At,
                "history: in order of time", $"{history[i].Event} before {history[i - 1].Event}");
        }
    }

    private static Problem? InOrder(string later, DateTimeOffset? laterAt, string earlier, DateTimeOffset? earlierAt) =>
        Holds(
            laterAt is null || earlierAt is null || laterAt >= earlierAt - CallbackPrecision,
            $"{later} not before {earlier}", $"{Clock(laterAt)} before {Clock(earlierAt)}");

    private static Problem? SameMetadata(JsonObject sent, JsonElement? found) =>
        Holds(
            found is { } element && JsonNode.DeepEquals(sent, JsonSerializer.SerializeToNode(element)),
            $"metadata {sent.ToJsonString()}", found?.GetRawText() ?? "null");

    private static Problem? Same(string what, object? expected, object? found) =>
        Equals(expected, found) ? null : new($"{what}: {Show(expected)}", Show(found));

    private static Problem? Holds(bool condition, string expected, string found) => condition ? null : new(expected, found);

    private static string Show(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? text : "null";

    // To the millisecond: the API may show fewer digits than PostgreSQL keeps.
    private static string? Clock(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
