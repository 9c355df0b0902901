using CallOrchestration.Outbound;
using Dapper;
using Npgsql;

namespace CallOrchestration.Scheduling;

/// <summary>
/// Claims the calls that are due and hands them to the dialler. However many hosts do this, each due call is claimed by one of them: the
/// claim locks the row and changes its status in one statement, and is committed before the dial.
/// </summary>
internal sealed class TriggerDueCalls(
    SchedulerDatabase database, DialCalls dial, IDialer dialer, CallTimers timers, SchedulerSettings settings, TimeProvider time)
{
    // After that nothing can still commit a claim whose answer was lost.
    private static readonly TimeSpan ClaimIsSettled = 1.5 * Database.LongestStatement;

    // As long as a backlog lasts no longer than this, first in is first out.
    private static readonly TimeSpan KeepsUp = TimeSpan.FromMilliseconds(200);

    private static readonly (DateTime DueAt, Guid Id) First = (DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), Guid.Empty);

    private readonly List<(Guid ClaimId, long Since)> unsettled = [];

    // Since when every batch was full; null: the last one was not.
    private long? behindSince;

    // In a backlog every other batch is claimed in turn. After the organization whose turn was the last, it is the next one's.
    private bool inTurn;
    private Guid lastTurn;

    // Until the next vacuum, and while a transaction is open anywhere, PostgreSQL keeps the index entries of all that was claimed, and a look from the
    // first would walk over each of them. So it begins after the last call of the claim before it in a backlog, and else with what became due
    // lately. What was locked, or has come in before that place, is found by looking back now and then.
    private (DateTime DueAt, Guid Id) from = First;
    private (DateTime DueAt, Guid Id) after = First;
    private DateTime lately = First.DueAt;
    private long? lookedBack;
    private TimeSpan lookingBackTook;

    /// <param name="Claimed">How many calls were claimed and are being dialled.</param>
    /// <param name="Full">The batch was full, so there may be more at once.</param>
    /// <param name="Held">The provider takes no dial at present, so nothing was claimed.</param>
    /// <param name="Recorded">Ends when the result of each of the dials is recorded.</param>
    internal sealed record Triggered(int Claimed, bool Full, bool Held, Task Recorded);

    /// <summary>Claims one batch and starts its dials. Not to be called twice at once on one host.</summary>
    /// <param name="madeDue">The earliest due time (UTC) of what this host has made due since the last time; null: nothing.</param>
    /// <param name="cancellation">Ends the wait for room; a claim that has begun is finished.</param>
    public async Task<Triggered> RunOnce(DateTime? madeDue, CancellationToken cancellation)
    {
        // Four batches out: a full one can be claimed while those before it are recorded. What is claimed and waiting is what a crash strands.
        var room = 4 * settings.BatchSize;
        await dial.WaitUntilFewerOut(room, cancellation);
        var limit = Math.Min(Math.Min(settings.BatchSize, room - dial.Out), dialer.Room - dial.Out);
        if (limit <= 0) return new(0, Full: false, Held: true, Task.CompletedTask);

        await using var connection = await database.OpenConnection(cancellation);
        await SettleClaims(connection);
        inTurn = !inTurn && behindSince is { } since && time.GetElapsedTime(since) > KeepsUp;
        from = inTurn ? after : Beginning(madeDue);
        var claimed = await Claim(connection, limit);
        if (claimed.Count > 0) await Failpoint.Hit(Failpoint.AfterClaim);
        var full = claimed.Count == limit;
        if (!inTurn) NoteBacklog(full);
        return new(claimed.Count, Full: full || inTurn, Held: false, dial.Start(claimed));
    }

    /// <summary>When the next call is due (UTC; null: none is scheduled), and how long that is from now, by the database's clock.</summary>
    public async Task<(DateTime? DueAt, TimeSpan? Wait)> NextDue(CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnection(cancellation);
        var (now, dueAt) = await connection.QuerySingleAsync<(DateTime Now, DateTime? DueAt)>(
            new CommandDefinition(NextDueSql, new { fromDueAt = from.DueAt, fromId = from.Id }, cancellationToken: cancellation));
        // From a statement's now() to its commit it takes no longer: whatever is due by now may still come in for as long.
        lately = now - Database.LongestStatement;
        return (dueAt, dueAt - now);
    }

    private (DateTime DueAt, Guid Id) Beginning(DateTime? madeDue)
    {
        // At most a tenth of the time goes into it, however many entries there are.
        if (lookedBack is not { } at || time.GetElapsedTime(at) > Longer(settings.Interval, 10 * lookingBackTook)) return First;
        if (behindSince is not null) return after;
        return (madeDue < lately ? madeDue.Value : lately, Guid.Empty);
    }

    private void NoteBacklog(bool full)
    {
        // At the end of a backlog from the first again.
        if (behindSince is not null && !full) lookedBack = null;
        behindSince = full ? behindSince ?? time.GetTimestamp() : null;
    }

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private async Task<IReadOnlyList<ClaimedCall>> Claim(NpgsqlConnection connection, int limit)
    {
        var claimId = Guid.CreateVersion7();
        var claimedAt = time.GetTimestamp();
        var parameters = new { claimId, limit, wait = timers.AnswerTimeout, fromDueAt = from.DueAt, fromId = from.Id, lastTurn };
        List<(ClaimedCall Call, Place Place)> claimed;
        try
        {
            // Buffered: all rows are read and the statement is committed before the first of them is dialled. Without a token: a claim that
            // is called off half way may be committed all the same.
            claimed = (await connection.QueryAsync<ClaimedCall, Place, (ClaimedCall, Place)>(
                inTurn ? ClaimInTurnSql : ClaimSql, (call, place) => (call, place), parameters, splitOn: "due_at")).AsList();
        }
        catch (NpgsqlException)
        {
            unsettled.Add((claimId, claimedAt));
            throw;
        }

        if (inTurn)
        {
            // Where no place was left, the turn goes on after the last; else it starts over.
            lastTurn = claimed.Select(each => each.Place.LastTurn).FirstOrDefault() ?? Guid.Empty;
        }
        else
        {
            if (from == First) (lookedBack, lookingBackTook) = (time.GetTimestamp(), time.GetElapsedTime(claimedAt));
            // A claim in turn does not move the place: it passes calls over.
            if (claimed.Count > 0) after = claimed.Max(each => (each.Place.DueAt, each.Call.Id));
        }

        return [.. claimed.Select(each => each.Call with { ClaimedAt = claimedAt })];
    }

    private sealed record Place
    {
        public DateTime DueAt { get; init; }
        public Guid? LastTurn { get; init; }
    }

    // An error during a claim leaves open whether it was committed. Its calls, if there are any, were never dialled, for this host never
    // learnt which they are: they go back.
    private async Task SettleClaims(NpgsqlConnection connection)
    {
        foreach (var (claimId, since) in unsettled.ToList())
        {
            await connection.ExecuteAsync(SettleSql, new { claimId });
            if (time.GetElapsedTime(since) > ClaimIsSettled) unsettled.Remove((claimId, since));
        }
    }

    // materialized: without the fence the planner may run the selection again and lock more than the limit. for no key update: a
    // foreign-key lock on a call does not hide it. 'PENDING' is a literal, or a generic plan would not use the partial index. ctid: a plan made
    // while the table was empty could look for an id by reading all of them; and a row that is locked does not move. One that was changed between the
    // look and the lock is not found by it, and left to the next claim.
    internal const string ClaimSql =
        """
        with due as materialized (
            select ctid, next_action_at, null::uuid as last_turn
            from calls
            where status = 'PENDING' and next_action_at <= now() and (next_action_at, id) > (@fromDueAt, @fromId)
            order by next_action_at, id
            limit @limit
            for no key update skip locked
        )
        """
        + ClaimDue;

    // An equal share of the batch for each organization with a due call, as many of them as it has places, by the first of each in the index. The
    // shares are never more than the limit in all; it is said once more for the planner, which would take them for thousands and read
    // through the primary key to find them.
    internal const string ClaimInTurnSql =
        """
        with turns as materialized (
            select o.id
            from organizations o
            cross join lateral (
                select
                from calls
                where status = 'PENDING' and organization_id = o.id and next_action_at <= now() and (next_action_at, id) > (@fromDueAt, @fromId)
                order by next_action_at, id
                limit 1
            ) first_due
            where o.id > @lastTurn
            order by o.id
            limit @limit
        ),
        due as materialized (
            select share.ctid, share.next_action_at, (select id from turns order by id offset @limit - 1) as last_turn
            from turns t
            cross join lateral (
                select ctid, next_action_at
                from calls
                where status = 'PENDING' and organization_id = t.id and next_action_at <= now() and (next_action_at, id) > (@fromDueAt, @fromId)
                order by next_action_at, id
                limit @limit / (select count(*) from turns)
                for no key update skip locked
            ) share
            limit @limit
        )
        """
        + ClaimDue;

    // The same entry for all, so each of the two is made once. Claims, revision and update time as the guard would set them, so that it need not be called.
    private const string ClaimDue =
        """

        update calls c
        set status = 'IN_PROGRESS',
            next_action_at = now() + @wait,
            claims = c.claims + 1,
            claim_id = @claimId,
            look_ups = 0,
            started_at = now(),
            answered_at = null,
            ended_at = null,
            duration_seconds = null,
            recording_url = null,
            history = c.history || case c.retries
                when 0 then (select call_history_entry('claimed', 'scheduler', 1, 'IN_PROGRESS'))
                else (select call_history_entry('claimed', 'scheduler', 2, 'IN_PROGRESS')) end,
            revision = c.revision + 1,
            updated_at = greatest(clock_timestamp(), c.updated_at)
        from due, organizations o
        where c.ctid = due.ctid and o.id = c.organization_id
        returning c.id, c.organization_id, c.from_number, c.to_number, c.connect, o.phone_number as exo_phone, o.callback_secret,
            c.retries + 1 as attempt, c.claims, due.next_action_at as due_at, due.last_turn
        """;

    internal const string SettleSql =
        """
        update calls
        set status = 'PENDING',
            next_action_at = now(),
            started_at = null,
            claim_id = null,
            history = history || call_history_entry(
                'dial-not-sent', 'scheduler', retries + 1, 'PENDING', jsonb_build_object('reason', 'the connection broke during the claim'))
        where claim_id = @claimId and status = 'IN_PROGRESS' and provider_call_id is null and answered_at is null
        """;

    internal const string NextDueSql =
        """
        select
            clock_timestamp() as now,
            (
                select next_action_at
                from calls
                where status = 'PENDING' and (next_action_at, id) > (@fromDueAt, @fromId)
                order by next_action_at, id
                limit 1
            ) as due_at
        """;
}
