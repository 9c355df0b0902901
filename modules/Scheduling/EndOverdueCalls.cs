using Dapper;

namespace CallOrchestration.Scheduling;

/// <summary>
/// The watchdog: ends calls in progress whose time is up, since nobody told how they ended. It never dials: a phone may have rung.
/// </summary>
internal sealed class EndOverdueCalls(SchedulerDatabase database, SchedulerSettings settings)
{
    /// <param name="Ended">How many calls were ended.</param>
    /// <param name="Full">The batch was full, so there may be more at once.</param>
    internal sealed record Overdue(int Ended, bool Full);

    /// <summary>Ends one batch of overdue calls with the outcome unknown.</summary>
    public async Task<Overdue> RunOnce(CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnection(cancellation);
        var ended = await connection.ExecuteAsync(EndSql, new { limit = settings.BatchSize });
        return new(ended, ended == settings.BatchSize);
    }

    internal const string EndSql =
        """
        with overdue as materialized (
            select id
            from calls
            where status = 'IN_PROGRESS' and next_action_at <= now()
            order by next_action_at, id
            limit @limit
            for no key update skip locked
        )
        update calls c
        set status = 'COMPLETED',
            outcome = 'unknown',
            next_action_at = null,
            history = c.history || call_history_entry('gave-up', 'watchdog', c.retries + 1, 'COMPLETED')
        from overdue
        where c.id = overdue.id
        """;
}
