using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;

namespace CallOrchestration.Calls;

/// <summary>What a PATCH asks for, read and checked as far as that goes without the call itself.</summary>
internal sealed class CallChange
{
    /// <summary>Members that are absent stay undefined, so that a null that was sent can be told from them.</summary>
    internal sealed record Request(JsonElement Status, JsonElement Outcome, JsonElement NextActionAt, JsonElement Metadata);

    // Names and letters of every script stay readable in metadata that was merged.
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private JsonElement metadata;
    private string? outcome;

    public string? Status { get; private init; }

    public bool MovesTime { get; private init; }

    public DateTime? NextActionAt { get; private init; }

    public static CallChange Read(Request request, Dictionary<string, string[]> errors)
    {
        var status = Word(request.Status, "status", CallStatus.All, errors);
        var outcome = Word(request.Outcome, "outcome", CallOutcome.All, errors);
        if (outcome is not null && status != CallStatus.Completed)
            errors.TryAdd("outcome", ["goes with the status COMPLETED only"]);

        DateTimeOffset time = default;
        var moves = request.NextActionAt.ValueKind != JsonValueKind.Undefined;
        var clears = request.NextActionAt.ValueKind == JsonValueKind.Null;
        if (moves && !clears && !(Text(request.NextActionAt) is { } text && Rfc3339.TryParse(text, out time)))
            errors["next_action_at"] = [Rfc3339.Expected];
        else if (moves && status is not null && status != CallStatus.Pending)
            errors["next_action_at"] = [$"cannot be set together with the status {status}"];

        if (request.Metadata.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null or JsonValueKind.Object))
            errors["metadata"] = ["must be a JSON object"];
        else if (request.Metadata.ValueKind == JsonValueKind.Object && !InsertCall.IsText(request.Metadata))
            errors["metadata"] = [InsertCall.NotText];

        return new()
        {
            Status = status,
            outcome = outcome,
            MovesTime = moves,
            NextActionAt = moves && !clears ? time.UtcDateTime : null,
            metadata = request.Metadata,
        };
    }

    /// <summary>Why the call, as it stands, cannot change like this; null if it can.</summary>
    public ProblemDetails? ConflictWith(Call call)
    {
        var stays = Status is null || (Status == CallStatus.Pending && call.Status == CallStatus.Pending);
        // Called off means never dialled, and an outbound call in progress has been.
        if (Status == CallStatus.Completed && outcome == CallOutcome.Canceled && call is { Status: CallStatus.InProgress, Direction: CallDirection.Outbound })
            return Conflict($"The call is {call.Status} and can no longer be {outcome}.");
        if (!stays && (Status == CallStatus.Pending || !CallLifecycle.IsLegal(call.Direction, call.Status, Status!, OutcomeFor(call))))
            return Conflict($"The call is {call.Status} and cannot become {Status}{(OutcomeFor(call) is { } end ? $" ({end})" : "")}.");
        if (MovesTime && call.Status != CallStatus.Pending)
            return Conflict($"The call is {call.Status}; next_action_at moves only while it is {CallStatus.Pending}.");
        return null;

        ProblemDetails Conflict(string detail)
        {
            var allowed = CallLifecycle.AllowedNext(call.Status);
            return new()
            {
                Status = StatusCodes.Status409Conflict,
                Title = "The call cannot change like this.",
                Detail = $"{detail} {(allowed.Count > 0 ? $"Allowed from here: {string.Join(", ", allowed)}." : "Nothing is allowed from here.")}",
                Extensions = { ["call_status"] = call.Status, ["allowed"] = allowed },
            };
        }
    }

    public string? OutcomeFor(Call call) =>
        Status != CallStatus.Completed ? call.Outcome
        : outcome ?? (call.Status == CallStatus.Pending ? CallOutcome.Canceled : CallOutcome.Completed);

    /// <summary>The history's word for it; null where only metadata changes.</summary>
    public string? EventFor(Call call) => Status switch
    {
        CallStatus.InProgress => "claimed",
        CallStatus.Completed => OutcomeFor(call),
        _ => MovesTime ? "rescheduled" : null,
    };

    /// <summary>The call's metadata after the merge (RFC 7396).</summary>
    public string? MetadataOf(Call call, Dictionary<string, string[]> errors)
    {
        if (metadata.ValueKind == JsonValueKind.Undefined) return call.Metadata;
        var present = call.Metadata is null ? null : JsonNode.Parse(call.Metadata);
        var after = Merge(present?.DeepClone(), metadata);
        // Where nothing changes the text stays as the client once gave it.
        if (after is not null && present is not null && JsonNode.DeepEquals(after, present)) return call.Metadata;
        var merged = after?.ToJsonString(Readable);
        if (merged is not null && Encoding.UTF8.GetByteCount(merged) > InsertCall.MetadataBytes)
            errors["metadata"] = [$"may have at most {InsertCall.MetadataBytes} bytes"];
        return merged;
    }

    private static JsonNode? Merge(JsonNode? target, JsonElement patch)
    {
        if (patch.ValueKind == JsonValueKind.Null) return null;
        if (patch.ValueKind != JsonValueKind.Object) return JsonNode.Parse(patch.GetRawText());
        var merged = target as JsonObject ?? [];
        foreach (var member in patch.EnumerateObject())
        {
            merged.TryGetPropertyValue(member.Name, out var present);
            if (member.Value.ValueKind == JsonValueKind.Null) merged.Remove(member.Name);
            else if (Merge(present, member.Value) is var value && !ReferenceEquals(value, present)) merged[member.Name] = value;
        }

        return merged;
    }

    private static string? Word(JsonElement sent, string field, IReadOnlyList<string> words, Dictionary<string, string[]> errors)
    {
        if (sent.ValueKind == JsonValueKind.Undefined) return null;
        if (Text(sent) is { } word && words.Contains(word)) return word;
        errors[field] = [$"must be {string.Join(", ", words)}"];
        return null;
    }

    private static string? Text(JsonElement sent) => sent.ValueKind == JsonValueKind.String && InsertCall.IsText(sent) ? sent.GetString() : null;
}
