using System.Text.Json.Serialization;

namespace CallOrchestration.Calls;

/// <summary>
/// A call as the API shows it: one row of <c>calls</c>. Times are UTC. <c>previous_provider_call_id</c>, the claim's number and the
/// idempotency key are the orchestrator's own and stay inside.
/// </summary>
public record Call
{
    /// <summary>UUID version 7.</summary>
    public Guid Id { get; init; }

    /// <summary>The organization whose call it is.</summary>
    public Guid OrganizationId { get; init; }

    /// <summary>INBOUND or OUTBOUND.</summary>
    public string Direction { get; init; } = "";

    /// <summary>PENDING, IN_PROGRESS or COMPLETED.</summary>
    public string Status { get; init; } = "";

    /// <summary>Null until COMPLETED, then how it ended.</summary>
    public string? Outcome { get; init; }

    /// <summary>Who calls: E.164, or as the provider sent it where it cannot be normalised.</summary>
    [JsonPropertyName("from")]
    public string? FromNumber { get; init; }

    /// <summary>Who is called: E.164, or as the provider sent it where it cannot be normalised.</summary>
    [JsonPropertyName("to")]
    public string? ToNumber { get; init; }

    /// <summary>When the orchestrator next acts by itself. PENDING: it dials. IN_PROGRESS: it stops waiting for the provider.</summary>
    public DateTime? NextActionAt { get; init; }

    /// <summary>0 or 1; the attempt's number is one more.</summary>
    public int Retries { get; init; }

    /// <summary>The provider's name for the current attempt (Exotel's CallSid).</summary>
    public string? ProviderCallId { get; init; }

    /// <summary>When the last attempt began.</summary>
    public DateTime? StartedAt { get; init; }

    /// <summary>When the last attempt was answered.</summary>
    public DateTime? AnsweredAt { get; init; }

    /// <summary>When the last attempt ended.</summary>
    public DateTime? EndedAt { get; init; }

    /// <summary>Talk time of the last attempt, in seconds.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Where the provider keeps the recording.</summary>
    public string? RecordingUrl { get; init; }

    /// <summary>The client's own JSON object, as given.</summary>
    [JsonConverter(typeof(RawJson))]
    public string? Metadata { get; init; }

    /// <summary>What the customer is connected with; null: what the host's settings say.</summary>
    public CallConnection? Connect { get; init; }

    /// <summary>1, then one more with every change.</summary>
    public int Revision { get; init; }

    /// <summary>When the call was created.</summary>
    public DateTime CreatedAt { get; init; }

    /// <summary>When the row last changed.</summary>
    public DateTime UpdatedAt { get; init; }

    /// <summary>The columns of this record, for the foot of a slice.</summary>
    internal const string Columns =
        """
        id, organization_id, direction, status, outcome, from_number, to_number, next_action_at, retries, provider_call_id,
        started_at, answered_at, ended_at, duration_seconds, recording_url, metadata, connect, revision, created_at, updated_at
        """;
}

/// <summary>A call that has just been claimed, with what its dial needs. The claim is committed: nobody else will dial this attempt.</summary>
public sealed record ClaimedCall
{
    /// <summary>The call.</summary>
    public Guid Id { get; init; }

    /// <summary>Whose call it is.</summary>
    public Guid OrganizationId { get; init; }

    /// <summary>The organization's number, E.164.</summary>
    public string FromNumber { get; init; } = "";

    /// <summary>The number to dial, E.164.</summary>
    public string ToNumber { get; init; } = "";

    /// <summary>What the customer is connected with; null: what the host's settings say.</summary>
    public CallConnection? Connect { get; init; }

    /// <summary>The organization's number at the provider, E.164.</summary>
    public string ExoPhone { get; init; } = "";

    /// <summary>The organization's secret for the callback's signature.</summary>
    public byte[] CallbackSecret { get; init; } = [];

    /// <summary>1, or 2 for the retry.</summary>
    public int Attempt { get; init; }

    /// <summary>Names this one claim, so that a late writer of another claim touches nothing.</summary>
    public int Claims { get; init; }

    /// <summary>
    /// A reading of the monotonic clock (<see cref="TimeProvider.GetTimestamp"/>) from before the claim was sent to the database: a host
    /// that was frozen since then must not dial any more.
    /// </summary>
    public long ClaimedAt { get; init; }
}

/// <summary>Dials a call that was claimed and committed; returns at once. The module that owns the dialler registers it.</summary>
public delegate void DialNow(ClaimedCall call);
