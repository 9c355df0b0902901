using System.Text.Json;

namespace CallOrchestration.Simulator.Host;

/// <summary>A call as the API shows it: the simulator's own reading of the contract, shared with no module.</summary>
internal sealed record CallView(
    Guid Id,
    Guid OrganizationId,
    string Direction,
    string Status,
    string? Outcome,
    string? From,
    string? To,
    DateTimeOffset? NextActionAt,
    int Retries,
    string? ProviderCallId,
    DateTimeOffset? StartedAt,
    DateTimeOffset? AnsweredAt,
    DateTimeOffset? EndedAt,
    int? DurationSeconds,
    string? RecordingUrl,
    JsonElement? Metadata,
    long Revision,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt,
    IReadOnlyList<HistoryEntry>? History,
    int HistoryDropped);

internal sealed record HistoryEntry(DateTimeOffset At, string Event, string Source, int Attempt, string Status, bool? Applied);

internal sealed record CallPage(IReadOnlyList<CallView> Items, string? NextCursor);
