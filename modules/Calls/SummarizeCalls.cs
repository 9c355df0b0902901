using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.Calls;

internal static class SummarizeCalls
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("summary", Handle)
        .WithName(nameof(SummarizeCalls))
        .WithSummary("The organization's calls at a glance.")
        .WithDescription("Counts by status and outcome, what is due and how late the latest is, what is next, and what has been under way longest.");

    /// <param name="AsOf">The database's time of this summary, UTC.</param>
    /// <param name="Total">All calls.</param>
    /// <param name="ByStatus">How many calls have each status; every status is there.</param>
    /// <param name="ByOutcome">How many completed calls ended in each way; every outcome is there.</param>
    /// <param name="DueNow">PENDING calls whose time has come.</param>
    /// <param name="LatestBySeconds">How late the latest of them is; 0 where none is due.</param>
    /// <param name="NextDueAt">When the next call is due that is not due yet.</param>
    /// <param name="OldestInProgressAt">When the call began that has been IN_PROGRESS longest.</param>
    /// <param name="RetriesWaiting">PENDING calls that rang out once and will be tried again.</param>
    /// <param name="DialingPaused">Why this host dials nothing at present; null where it does.</param>
    internal sealed record Summary(
        DateTime AsOf,
        long Total,
        IReadOnlyDictionary<string, long> ByStatus,
        IReadOnlyDictionary<string, long> ByOutcome,
        long DueNow,
        double LatestBySeconds,
        DateTime? NextDueAt,
        DateTime? OldestInProgressAt,
        long RetriesWaiting,
        string? DialingPaused);

    // Of the calls with one status and outcome; PENDING and IN_PROGRESS are there also without calls.
    private sealed record Group
    {
        public DateTime AsOf { get; init; }
        public string Status { get; init; } = "";
        public string? Outcome { get; init; }
        public long Calls { get; init; }
        public long DueNow { get; init; }
        public double? LatestBySeconds { get; init; }
        public DateTime? NextDueAt { get; init; }
        public DateTime? OldestInProgressAt { get; init; }
        public long RetriesWaiting { get; init; }
    }

    internal static async Task<Ok<Summary>> Handle(Caller caller, RequestDatabase database, DialPause pause, CancellationToken cancellation)
    {
        await using var connection = await database.OpenForLongRead(cancellation);
        var groups = (await connection.QueryAsync<Group>(new CommandDefinition(SummarySql, caller, cancellationToken: cancellation))).AsList();
        return TypedResults.Ok(new Summary(
            groups[0].AsOf,
            groups.Sum(group => group.Calls),
            CallStatus.All.ToDictionary(status => status, status => groups.Where(group => group.Status == status).Sum(group => group.Calls)),
            CallOutcome.All.ToDictionary(outcome => outcome, outcome => groups.Where(group => group.Outcome == outcome).Sum(group => group.Calls)),
            groups.Sum(group => group.DueNow),
            groups.Max(group => group.LatestBySeconds) ?? 0,
            groups.Min(group => group.NextDueAt),
            groups.Min(group => group.OldestInProgressAt),
            groups.Sum(group => group.RetriesWaiting),
            pause.Now?.Reason));
    }

    // Each status apart, by its own index. Most calls are over, and those are counted without reading a row.
    private const string SummarySql =
        """
        select
            now() as as_of,
            'PENDING' as status,
            null::text as outcome,
            count(*) as calls,
            count(*) filter (where next_action_at <= now()) as due_now,
            extract(epoch from now() - min(next_action_at) filter (where next_action_at <= now()))::double precision as latest_by_seconds,
            min(next_action_at) filter (where next_action_at > now()) as next_due_at,
            null::timestamptz as oldest_in_progress_at,
            count(*) filter (where retries > 0) as retries_waiting
        from calls
        where organization_id = @organizationId and status = 'PENDING'
        union all
        select now(), 'IN_PROGRESS', null, count(*), 0, null, null, min(coalesce(started_at, created_at)), 0
        from calls
        where organization_id = @organizationId and status = 'IN_PROGRESS'
        union all
        select now(), 'COMPLETED', outcome, count(*), 0, null, null, null, 0
        from calls
        where organization_id = @organizationId and status = 'COMPLETED'
        group by outcome
        """;
}
