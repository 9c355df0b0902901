using System.Text.Json;
using CallOrchestration.Outbound;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CallOrchestration.Scheduling;

/// <summary>
/// The watchdog: no call in progress outlives its time. It first asks the provider what became of the call, where the provider keeps a
/// record, and applies the answer like an event; what nobody can tell ends as unknown. It never dials: a phone may have rung.
/// </summary>
internal sealed class EndOverdueCalls(
    SchedulerDatabase database, SchedulerSettings settings, IDialer dialer, CallTimers timers, DueSignal due, TimeProvider time,
    ILogger<EndOverdueCalls> logger) : IDisposable
{
    // Exotel's details settle about two minutes after a call; with a minute between two questions that is covered twice.
    private const int MostLookUps = 5;

    // Of those who are answered while a batch of questions is written down, the next batch is made: with few, a slow commit would hold up a
    // backlog, one question for each.
    private const int MostAtOnce = 32;
    private static readonly TimeSpan LongestLookUp = TimeSpan.FromSeconds(10);

    // Two calls to one number within this time could be taken for each other.
    private static readonly TimeSpan Near = TimeSpan.FromMinutes(5);

    // A provider that answers slowly, or not at all, holds up its own answers and no other call's end.
    private readonly SemaphoreSlim questions = new(MostAtOnce);

    /// <param name="Ended">How many calls were ended as unknown.</param>
    /// <param name="Asked">How many calls the provider is asked about.</param>
    /// <param name="Full">There may be more at once.</param>
    /// <param name="Answered">Ends when each answer has had its effect; how many calls it ended as unknown.</param>
    internal sealed record Overdue(int Ended, int Asked, bool Full, Task<int> Answered);

    private sealed record Silent
    {
        public Guid Id { get; init; }
        public Guid OrganizationId { get; init; }
        public string? ToNumber { get; init; }
        public string? ProviderCallId { get; init; }
        public DateTime StartedAt { get; init; }
        public int Attempt { get; init; }
        public int Revision { get; init; }
    }

    /// <inheritdoc />
    public void Dispose() => questions.Dispose();

    /// <summary>One batch of overdue calls: ends those that nobody can be asked about any more, and asks about others. Not to be called twice at once.</summary>
    public async Task<Overdue> RunOnce(CancellationToken cancellation)
    {
        IReadOnlyList<Silent> silent = [];
        var room = Math.Min(questions.CurrentCount, settings.BatchSize);
        await using var connection = await database.OpenConnection(cancellation);
        var ended = await connection.ExecuteAsync(EndSql, new { limit = settings.BatchSize, asked = dialer.KeepsRecord ? MostLookUps : 0 });
        // The question is written down before it is asked, with a new time: another host does not ask too, and a crash loses nothing.
        if (dialer.KeepsRecord && room > 0)
            silent = (await connection.QueryAsync<Silent>(AskSql, new { limit = room, most = MostLookUps, wait = settings.LookUpInterval })).AsList();
        foreach (var _ in silent) questions.Wait(0, CancellationToken.None);
        return new(ended, silent.Count, ended == settings.BatchSize || silent.Count == room, Answers(silent, cancellation));
    }

    /// <summary>Waits until another question can be asked.</summary>
    public async Task WaitForRoom(CancellationToken cancellation)
    {
        await questions.WaitAsync(cancellation);
        questions.Release();
    }

    private async Task<int> Answers(IReadOnlyList<Silent> silent, CancellationToken cancellation) =>
        (await Task.WhenAll(silent.Select(call => Ask(call, cancellation)))).Count(unknown => unknown);

    // True where the call was ended as unknown.
    private async Task<bool> Ask(Silent call, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(LongestLookUp, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await Failpoint.Hit(Failpoint.InWatchdog);
            var result = await dialer.LookUp(
                new(call.Id, call.ToNumber ?? "", call.ProviderCallId, call.StartedAt, sids => SidsOfOthers(call, sids), await OthersAreLost(call)), either.Token);
            return await Apply(call, result);
        }
        catch (Exception error)
        {
            // It will be asked again, by this host or another; no message, for it may quote a number.
            if (!cancellation.IsCancellationRequested) logger.LogWarning("The provider could not be asked about call {CallId}: {Error}", call.Id, error.GetType().Name);
            return false;
        }
        finally
        {
            questions.Release();
        }
    }

    private async Task<bool> Apply(Silent call, LookUpResult result)
    {
        await using var connection = await database.OpenConnection(CancellationToken.None);
        switch (result)
        {
            case LookUpResult.Told told:
                var applied = await ApplyProviderEvent.Run(
                    connection, call.OrganizationId, told.News with { CallId = call.Id, Attempt = call.Attempt }, timers);
                if (applied is { Applied: true, Status: CallStatus.Pending }) due.Nudge(applied.NextActionAt);
                return false;
            case LookUpResult.Nothing nothing:
                var details = JsonSerializer.Serialize(new { reason = nothing.Reason });
                return await connection.ExecuteAsync(GiveUpSql, new { call.Id, call.Revision, details }) == 1;
            default:
                return false;
        }
    }

    private async Task<IReadOnlySet<string>> SidsOfOthers(Silent call, IReadOnlyCollection<string> sids)
    {
        await using var connection = await database.OpenConnection(CancellationToken.None);
        return (await connection.QueryAsync<string>(SidsOfOthersSql, new { call.OrganizationId, call.Id, sids = sids.ToArray() })).ToHashSet();
    }

    private async Task<bool> OthersAreLost(Silent call)
    {
        if (call.ProviderCallId is not null) return false;
        await using var connection = await database.OpenConnection(CancellationToken.None);
        return await connection.QuerySingleAsync<bool>(
            OthersAreLostSql, new { call.OrganizationId, call.Id, call.ToNumber, from = call.StartedAt - Near, to = call.StartedAt + Near });
    }

    internal const string AskSql =
        """
        with overdue as materialized (
            select ctid
            from calls
            where status = 'IN_PROGRESS' and next_action_at <= now() and look_ups < @most
            order by next_action_at, id
            limit @limit
            for no key update skip locked
        )
        update calls c
        set look_ups = c.look_ups + 1,
            next_action_at = now() + @wait
        from overdue
        where c.ctid = overdue.ctid
        returning c.id, c.organization_id, c.to_number, c.provider_call_id, coalesce(c.started_at, c.created_at) as started_at,
            c.retries + 1 as attempt, c.revision
        """;

    internal const string EndSql =
        """
        with overdue as materialized (
            select ctid
            from calls
            where status = 'IN_PROGRESS' and next_action_at <= now() and look_ups >= @asked
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
        where c.ctid = overdue.ctid
        """;

    // If anything came in between, it is asked again instead.
    internal const string GiveUpSql =
        """
        update calls
        set status = 'COMPLETED',
            outcome = 'unknown',
            next_action_at = null,
            history = history || call_history_entry('gave-up', 'watchdog', retries + 1, 'COMPLETED', @details::jsonb)
        where id = @id and status = 'IN_PROGRESS' and revision = @revision
        """;

    internal const string SidsOfOthersSql =
        """
        select provider_call_id
        from calls
        where organization_id = @organizationId and reverse(provider_call_id) = any(array(select reverse(sid) from unnest(@sids::text[]) sid)) and id <> @id
        union
        select previous_provider_call_id
        from calls
        where organization_id = @organizationId and reverse(previous_provider_call_id) = any(array(select reverse(sid) from unnest(@sids::text[]) sid))
        """;

    internal const string OthersAreLostSql =
        """
        select exists (
            select 1
            from calls
            where organization_id = @organizationId and to_number = @toNumber and id <> @id and provider_call_id is null
                and status = 'IN_PROGRESS' and started_at between @from and @to
        ) or exists (
            select 1
            from calls
            where organization_id = @organizationId and to_number = @toNumber and id <> @id and provider_call_id is null
                and look_ups > 0 and started_at between @from and @to
        )
        """;
}
