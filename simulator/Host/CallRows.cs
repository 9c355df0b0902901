using Dapper;
using Npgsql;

namespace CallOrchestration.Simulator.Host;

/// <summary>The row of a call, read past the API.</summary>
internal sealed class CallRow
{
    public string Direction { get; init; } = "";
    public string Status { get; init; } = "";
    public string? Outcome { get; init; }
    public string? FromNumber { get; init; }
    public string? ToNumber { get; init; }
    public DateTime? NextActionAt { get; init; }
    public int Retries { get; init; }
    public string? ProviderCallId { get; init; }
    public string? PreviousProviderCallId { get; init; }
    public DateTime? StartedAt { get; init; }
    public DateTime? AnsweredAt { get; init; }
    public DateTime? EndedAt { get; init; }
    public int? DurationSeconds { get; init; }
    public string? RecordingUrl { get; init; }
    public string History { get; init; } = "[]";
    public int HistoryDropped { get; init; }
    public long Revision { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
}

/// <summary>Reads rows to check them, and never writes one: the second witness beside the API.</summary>
internal sealed class CallRows(NpgsqlDataSource database) : IAsyncDisposable
{
    static CallRows() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    public async Task<CallRow?> Find(Guid id, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnectionAsync(cancellation);
        return await connection.QuerySingleOrDefaultAsync<CallRow>(new(RowSql, new { id }, cancellationToken: cancellation));
    }

    /// <summary>How many calls, of whatever direction, were made for this CallSid.</summary>
    public async Task<int> HowMany(string callSid, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnectionAsync(cancellation);
        return await connection.ExecuteScalarAsync<int>(new(HowManySql, new { callSid }, cancellationToken: cancellation));
    }

    public ValueTask DisposeAsync() => database.DisposeAsync();

    // The casts make this query read the same whether a word is stored as text or as an enum.
    private const string RowSql =
        """
        select direction::text, status::text, outcome::text, from_number, to_number, next_action_at, retries::int,
          provider_call_id, previous_provider_call_id, started_at, answered_at, ended_at, duration_seconds::int, recording_url,
          history::text, history_dropped::int, revision::bigint, created_at, updated_at
        from calls
        where id = @id
        """;

    private const string HowManySql =
        """
        select count(*)::int
        from calls
        where provider_call_id = @callSid or previous_provider_call_id = @callSid
        """;
}
