using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>What a call is after a message of the provider.</summary>
/// <param name="Id">The call.</param>
/// <param name="Status">Its status now.</param>
/// <param name="NextActionAt">When the orchestrator acts next, UTC.</param>
/// <param name="Applied">Whether the message changed the call, and not its history alone.</param>
public sealed record AppliedEvent(
    [property: JsonPropertyName("call_id")] Guid Id, string Status, [property: JsonIgnore] DateTime? NextActionAt, bool Applied);

/// <summary>
/// Applies a message of the provider to the call that it is about, in one statement: find, lock, decide and write. Whatever is
/// repeated, late, of an earlier attempt or after the end changes nothing but the history.
/// </summary>
public static class ApplyProviderEvent
{
    /// <summary>Applies the event to a call of the organization; null where there is no such call.</summary>
    public static async Task<AppliedEvent?> Run(NpgsqlConnection connection, Guid organizationId, ProviderEvent happened, CallTimers timers)
    {
        ArgumentNullException.ThrowIfNull(happened);
        if (happened.Outcome == CallOutcome.NoAnswer) await Failpoint.Hit(Failpoint.RetryDecision);
        return (await Run(connection, ApplySql, [(organizationId, happened)], timers)).Single()?.Applied;
    }

    /// <summary>What became of one event of several.</summary>
    /// <param name="Applied">What its call is now.</param>
    /// <param name="Waits">Nothing yet: somebody else writes the call at this moment. It is to be applied by itself.</param>
    internal sealed record Result(AppliedEvent? Applied, bool Waits);

    internal static async Task<IReadOnlyList<Result?>> Run(
        NpgsqlConnection connection, string sql, IReadOnlyList<(Guid OrganizationId, ProviderEvent Happened)> events, CallTimers timers)
    {
        ArgumentNullException.ThrowIfNull(timers);
        var asked = JsonSerializer.Serialize(events.Select((one, number) => new
        {
            number,
            organization_id = one.OrganizationId,
            call_id = one.Happened.CallId,
            call_sid = one.Happened.ProviderCallId,
            attempt = one.Happened.Attempt,
            word = one.Happened.Word,
            kind = one.Happened.Kind.ToString(),
            outcome = one.Happened.Outcome,
            from_applet = one.Happened.FromApplet,
            from_number = one.Happened.From,
            to_number = one.Happened.To,
            happened_at = one.Happened.At,
            started_at = one.Happened.StartedAt,
            ended_at = one.Happened.EndedAt,
            duration_seconds = one.Happened.DurationSeconds,
            recording_url = one.Happened.RecordingUrl,
            details = one.Happened.Details,
        }));
        var rows = await connection.QueryAsync<(int Number, Guid Id, bool Written, string? Status, DateTime? NextActionAt, bool Applied)>(
            sql, new { events = asked, timers.RetryDelay, timers.CallTimeout });
        var results = new Result?[events.Count];
        foreach (var row in rows) results[row.Number] = row.Written ? new(new(row.Id, row.Status!, row.NextActionAt, row.Applied), Waits: false) : new(null, Waits: true);
        return results;
    }

    // found: our own reference goes before the provider's CallSid, which is looked up backwards, as its indexes have it. Of two events of one call the second waits for its own statement.
    // target: the row as it is once the lock is ours.
    // placed: which attempt the event speaks of. The URL says it, or the CallSid; a CallSid that is new belongs to the attempt that has
    //   none yet, unless the history knows it from the attempt before. With no name at all it can only be the current one.
    // began_at: the provider's times are whole seconds and ours are finer; nothing is answered or ends before it began.
    // decided: what it does. Only an event of the current attempt of a call in progress does anything.
    // written: revision and update time as the guard would set them, so that it need not be called where there is no retry.
    private const string UpToTheLock =
        """
        with event as (
            select *
            from json_to_recordset(@events::json) as e (
                number integer, organization_id uuid, call_id uuid, call_sid text, attempt integer, word text, kind text, outcome text, from_applet boolean,
                from_number text, to_number text, happened_at timestamptz, started_at timestamptz, ended_at timestamptz, duration_seconds integer,
                recording_url text, details text)
        ),
        found as materialized (
            select e.number, f.id, row_number() over (partition by f.id order by e.number) as turn
            from event e
            cross join lateral (
                select id, 1 as preference from calls where organization_id = e.organization_id and id = e.call_id
                union all
                select id, 2 from calls where organization_id = e.organization_id and reverse(provider_call_id) = reverse(e.call_sid)
                union all
                select id, 3 from calls where organization_id = e.organization_id and reverse(previous_provider_call_id) = reverse(e.call_sid)
                order by preference
                limit 1
            ) f
        ),
        target as materialized (
            select f.number, c.id, c.status, c.direction, c.retries, c.provider_call_id, c.previous_provider_call_id,
                c.started_at as row_started_at, c.answered_at, c.history
            from found f
            join calls c on c.id = f.id
            where f.turn = 1
            order by c.id
            for no key update of c
        """;

    private const string FromTheLock =
        """

        ),
        placed as (
            select t.*, e.organization_id, e.call_sid, e.word, e.kind, e.outcome, e.from_applet, e.from_number, e.to_number, e.happened_at, e.started_at,
                e.ended_at, e.duration_seconds, e.recording_url, e.details,
                case
                    when e.attempt is not null then e.attempt
                    when e.call_sid is null then t.retries + 1
                    when e.call_sid = t.provider_call_id then t.retries + 1
                    when e.call_sid = t.previous_provider_call_id then 1
                    when t.retries = 0 then 1
                    when t.status = 'IN_PROGRESS' and t.provider_call_id is null
                        and not t.history @> jsonb_build_array(jsonb_build_object('details', jsonb_build_object('CallSid', e.call_sid)))
                        then t.retries + 1
                    else 1 end as attempt
            from target t
            join event e using (number)
        ),
        judged as (
            select p.*,
                p.attempt = p.retries + 1 as is_current,
                p.status = 'IN_PROGRESS' and p.attempt = p.retries + 1
                    and ((p.kind = 'Ended' and not (p.from_applet and p.direction = 'OUTBOUND'))
                        or (p.kind = 'Answered' and p.answered_at is null)) as applies
            from placed p
        ),
        decided as (
            select j.*,
                j.applies and j.kind = 'Answered' as answers,
                j.applies and j.kind = 'Ended' and j.outcome = 'no-answer' and j.direction = 'OUTBOUND' and j.retries = 0 as retries_once,
                j.applies and j.kind = 'Ended' and not (j.outcome = 'no-answer' and j.direction = 'OUTBOUND' and j.retries = 0) as completes,
                -- A call that comes in is told in several requests: each adds what it knows, also after the end.
                j.applies or (j.direction = 'INBOUND' and j.is_current) as adds,
                case when j.applies or (j.direction = 'INBOUND' and j.is_current) then coalesce(j.started_at, j.row_started_at) else j.row_started_at end as began_at,
                j.is_current and j.status <> 'PENDING' and j.provider_call_id is null and not exists (
                    select 1 from calls o where o.organization_id = j.organization_id and reverse(o.provider_call_id) = reverse(j.call_sid)) as names
            from judged j
        ),
        written as (
            update calls c
            set status = case when d.completes then 'COMPLETED' when d.retries_once then 'PENDING' else c.status end,
                outcome = case when d.completes then d.outcome else c.outcome end,
                retries = c.retries + d.retries_once::integer,
                next_action_at = case
                    when d.completes then null
                    when d.retries_once then now() + @retryDelay
                    when d.answers then now() + @callTimeout
                    else c.next_action_at end,
                provider_call_id = case when d.retries_once then null when d.names then d.call_sid else c.provider_call_id end,
                previous_provider_call_id = case when d.retries_once then coalesce(c.provider_call_id, d.call_sid) else c.previous_provider_call_id end,
                from_number = coalesce(c.from_number, case when d.adds then d.from_number end),
                to_number = coalesce(c.to_number, case when d.adds then d.to_number end),
                started_at = d.began_at,
                answered_at = case when d.answers then greatest(coalesce(d.happened_at, now()), d.began_at) else c.answered_at end,
                ended_at = case
                    when d.completes or d.retries_once then greatest(coalesce(d.ended_at, d.happened_at, now()), d.began_at)
                    when d.adds and c.status = 'COMPLETED' then coalesce(d.ended_at, c.ended_at)
                    else c.ended_at end,
                duration_seconds = case when d.adds then coalesce(d.duration_seconds, c.duration_seconds) else c.duration_seconds end,
                recording_url = case when d.adds then coalesce(d.recording_url, c.recording_url) else c.recording_url end,
                history = c.history || call_history_entry(
                    d.word, 'provider', d.attempt,
                    case when d.completes then 'COMPLETED' when d.retries_once then 'PENDING' else c.status end,
                    d.details::jsonb, d.applies),
                revision = c.revision + 1,
                updated_at = greatest(clock_timestamp(), c.updated_at)
            from decided d
            where c.id = d.id
            returning d.number, c.status, c.next_action_at, d.applies
        )
        select f.number, f.id, w.number is not null as written, w.status, w.next_action_at, coalesce(w.applies, false) as applied
        from found f
        left join written w using (number)
        """;

    internal const string ApplySql = UpToTheLock + FromTheLock;

    // One row that somebody holds must not hold up the others.
    internal const string ApplyTogetherSql = UpToTheLock + " skip locked" + FromTheLock;
}

/// <summary>Events that arrive at the same time share a statement, each for its own call.</summary>
public sealed class ProviderEvents(RequestDatabase database, CallTimers timers)
{
    private readonly Together together = new(database, timers);

    internal int MostWaiting
    {
        set => together.MostWaiting = value;
    }

    /// <summary>Applies the event to a call of the organization; null where there is no such call.</summary>
    /// <exception cref="OverloadedException">Too many wait already.</exception>
    public async Task<AppliedEvent?> Apply(Guid organizationId, ProviderEvent happened, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(happened);
        if (happened.Outcome == CallOutcome.NoAnswer) await Failpoint.Hit(Failpoint.RetryDecision);
        var result = await together.Ask((organizationId, happened), cancellation);
        if (result is not { Waits: true }) return result?.Applied;
        await using var connection = await database.OpenConnection(cancellation);
        return (await ApplyProviderEvent.Run(connection, ApplyProviderEvent.ApplySql, [(organizationId, happened)], timers)).Single()?.Applied;
    }

    private sealed class Together(RequestDatabase database, CallTimers timers)
        : Gather<(Guid OrganizationId, ProviderEvent Happened), ApplyProviderEvent.Result?>(database, commitsApart: false)
    {
        protected override Task<IReadOnlyList<ApplyProviderEvent.Result?>> Run(
            NpgsqlConnection connection, IReadOnlyList<(Guid OrganizationId, ProviderEvent Happened)> asks) =>
            ApplyProviderEvent.Run(connection, ApplyProviderEvent.ApplyTogetherSql, asks, timers);
    }
}
