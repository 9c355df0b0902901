using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace CallOrchestration.Outbound;

/// <summary>What became of the dial of one claim.</summary>
internal sealed record DialRecord(ClaimedCall Call, DialResult Result)
{
    /// <summary>The host stops, and this dial was not begun: due again at once, for another host.</summary>
    public static DialResult GivenBack { get; } = new DialResult.NotSent("the host stopped before it dialled", TimeSpan.Zero);

    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    public string Event => Result switch
    {
        DialResult.Accepted => "dial-accepted",
        DialResult.Refused => "dial-refused",
        DialResult.NotSent { RetryAfter: { } wait } when wait > TimeSpan.Zero => "dial-throttled",
        DialResult.NotSent => "dial-not-sent",
        _ => "dial-unknown",
    };

    public string? ProviderCallId => (Result as DialResult.Accepted)?.ProviderCallId;

    // The provider's word counts up to an hour: past that it is more likely wrong than patient.
    public TimeSpan? Wait => (Result as DialResult.NotSent)?.RetryAfter is { } wait ? TimeSpan.FromTicks(Math.Clamp(wait.Ticks, 0, LongestWait.Ticks)) : null;

    // The claim's number tells, after an error at commit, whether this very record is there already.
    public string Details => JsonSerializer.Serialize(Result switch
    {
        DialResult.Accepted accepted => new Dictionary<string, object> { ["claim"] = Call.Claims, ["provider_call_id"] = accepted.ProviderCallId },
        DialResult.Refused refused => new() { ["claim"] = Call.Claims, ["reason"] = refused.Reason },
        DialResult.NotSent notSent => new() { ["claim"] = Call.Claims, ["reason"] = notSent.Reason },
        DialResult.Unknown unknown => new() { ["claim"] = Call.Claims, ["reason"] = unknown.Reason },
        _ => throw new InvalidOperationException(),
    });
}

/// <summary>
/// Writes down what became of dials, many in one statement. Each names its claim: where the call has moved on meanwhile, only the history
/// and the attempt's CallSid are added.
/// </summary>
internal sealed class RecordDials(SchedulerDatabase database, CallTimers timers, DueSignal due, TimeProvider time, ILogger logger)
{
    /// <summary>Tries until it is written, or until the watchdog owns the calls anyway.</summary>
    public async Task Run(IReadOnlyList<DialRecord> records)
    {
        for (var failures = 0; ;)
        {
            try
            {
                // An error at commit is no rollback: from the second time on, what is there already is left alone.
                await Write(records, again: failures > 0);
                return;
            }
            catch (Exception error) when (error is not NpgsqlException wrong || DatabaseAway.Is(wrong))
            {
                // Not the database's errors alone: whatever it was, what became of these dials must be written down, and this loop go on.
                failures++;
                database.LeaveReadOnlyServer(error);
                if (records.All(record => time.GetElapsedTime(record.Call.ClaimedAt) > timers.AnswerTimeout))
                {
                    logger.LogError("The results of {Count} dials could not be recorded in time; the watchdog ends the calls.", records.Count);
                    return;
                }

                logger.LogWarning("The results of {Count} dials are not written down yet ({Error}).", records.Count, DatabaseAway.Reason(error));
                await Task.Delay(Backoff.After(failures), time);
            }
            catch (PostgresException error)
            {
                // The table refuses one of them; the others must not go down with it.
                if (records.Count > 1)
                {
                    foreach (var record in records) await Run([record]);
                    return;
                }

                logger.LogError(
                    "The result of the dial of call {CallId} was refused: {SqlState} {Constraint}", records[0].Call.Id, error.SqlState, error.ConstraintName);
                return;
            }
        }
    }

    private async Task Write(IReadOnlyList<DialRecord> records, bool again)
    {
        await Failpoint.Hit(Failpoint.BeforeRecord);
        await using var connection = await database.OpenConnection(CancellationToken.None);
        await using var command = new NpgsqlCommand(RecordSql, connection)
        {
            Parameters =
            {
                new("ids", records.Select(record => record.Call.Id).ToArray()),
                new("claims", records.Select(record => record.Call.Claims).ToArray()),
                new("attempts", records.Select(record => record.Call.Attempt).ToArray()),
                new("events", records.Select(record => record.Event).ToArray()),
                new("providerCallIds", records.Select(record => record.ProviderCallId).ToArray()),
                new("waits", NpgsqlDbType.Array | NpgsqlDbType.Interval) { Value = records.Select(record => record.Wait).ToArray() },
                new("details", NpgsqlDbType.Array | NpgsqlDbType.Jsonb) { Value = records.Select(record => record.Details).ToArray() },
                new("again", again),
            },
        };
        DateTime? earliest = null;
        var writing = command.ExecuteReaderAsync(CancellationToken.None);
        var during = Failpoint.Hit(Failpoint.DuringRecord);
        await using (var reader = await writing)
        {
            while (await reader.ReadAsync(CancellationToken.None))
            {
                var dueAt = reader.GetDateTime(0);
                if (earliest is null || dueAt < earliest) earliest = dueAt;
            }
        }

        // Not before: an error would leave the reader to nobody, and its connection with it.
        await during;
        await Failpoint.Hit(Failpoint.AfterRecord);
        due.Nudge(earliest);
    }

    // The wait after a dial that never left, where the provider names none, doubles with each claim from 5 s to 5 minutes.
    // Going back to PENDING needs more than our own word: an event of the provider for this claim would say that the dial did arrive.
    // Revision and update time as the guard would set them, so that it need not be called.
    // In the order of the ids, and nothing waits for a row while it holds others but this statement: no deadlock. Where another writer
    // was first, PostgreSQL decides all of it again by what that one left.
    internal const string RecordSql =
        """
        with result as materialized (
            select *
            from unnest(
                @ids::uuid[], @claims::integer[], @attempts::integer[], @events::text[], @providerCallIds::text[], @waits::interval[], @details::jsonb[])
                as r (id, claim, attempt, event, provider_call_id, wait, details)
            order by id
        ),
        recorded as (
            update calls c
            set (status, outcome, next_action_at, started_at, ended_at, provider_call_id, previous_provider_call_id, history) = (
                select
                    case when t.refused then 'COMPLETED' when t.returns then 'PENDING' else c.status end,
                    case when t.refused then 'failed' else c.outcome end,
                    case
                        when t.refused then null
                        when t.returns then now() + coalesce(r.wait, least(interval '5 minutes', interval '5 seconds' * power(2, least(c.claims - 1, 10))))
                        else c.next_action_at end,
                    case when t.returns then null else c.started_at end,
                    case when t.refused then now() else c.ended_at end,
                    case
                        when c.status <> 'PENDING' and c.retries + 1 = r.attempt and c.provider_call_id is null and t.names then r.provider_call_id
                        else c.provider_call_id end,
                    case
                        when c.retries + 1 > r.attempt and c.previous_provider_call_id is null and t.names then r.provider_call_id
                        else c.previous_provider_call_id end,
                    c.history || case
                        -- Nearly all: the same but for the details, so it is made once. Not where something came in between, for then its time would be too early.
                        when r.event = 'dial-accepted' and r.attempt = 1 and c.status = 'IN_PROGRESS' and c.history #>> '{-1,event}' = 'claimed'
                            then (select call_history_entry('dial-accepted', 'scheduler', 1, 'IN_PROGRESS')) || jsonb_build_object('details', r.details)
                        else call_history_entry(
                            r.event, 'scheduler', r.attempt,
                            case when t.refused then 'COMPLETED' when t.returns then 'PENDING' else c.status end, r.details) end
                from (
                    select
                        c.status = 'IN_PROGRESS' and c.claims = r.claim and r.event = 'dial-refused' as refused,
                        c.status = 'IN_PROGRESS' and c.claims = r.claim and r.event in ('dial-throttled', 'dial-not-sent')
                            and c.provider_call_id is null and c.answered_at is null as returns,
                        r.provider_call_id is not null and not exists (
                            select 1 from calls o where o.organization_id = c.organization_id and reverse(o.provider_call_id) = reverse(r.provider_call_id)) as names
                ) t
            ),
                revision = c.revision + 1,
                updated_at = greatest(clock_timestamp(), c.updated_at)
            from result r
            where c.id = r.id and (not @again
                or not c.history @> jsonb_build_array(jsonb_build_object('event', r.event, 'details', jsonb_build_object('claim', r.claim))))
            returning c.status, c.next_action_at
        )
        select next_action_at
        from recorded
        where status = 'PENDING' and next_action_at is not null
        """;
}
