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

    private sealed record Schedule
    {
        public DateTime AsOf { get; init; }
        public long DueNow { get; init; }
        public double LatestBySeconds { get; init; }
        public DateTime? NextDueAt { get; init; }
        public DateTime? OldestInProgressAt { get; init; }
        public long RetriesWaiting { get; init; }
    }

    internal static async Task<Ok<Summary>> Handle(Caller caller, RequestDatabase database, DialPause pause, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnection(cancellation);
        // One transaction with one snapshot: the counts and the schedule speak of the same moment.
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellation);
        var counts = (await connection.QueryAsync<(string Status, string? Outcome, long Calls)>(CountsSql, caller)).AsList();
        var schedule = await connection.QuerySingleAsync<Schedule>(ScheduleSql, caller);
        return TypedResults.Ok(new Summary(
            schedule.AsOf,
            counts.Sum(row => row.Calls),
            CallStatus.All.ToDictionary(status => status, status => counts.Where(row => row.Status == status).Sum(row => row.Calls)),
            CallOutcome.All.ToDictionary(outcome => outcome, outcome => counts.Where(row => row.Outcome == outcome).Sum(row => row.Calls)),
            schedule.DueNow,
            schedule.LatestBySeconds,
            schedule.NextDueAt,
            schedule.OldestInProgressAt,
            schedule.RetriesWaiting,
            pause.Now?.Reason));
    }

    private const string CountsSql =
        """
        select status, outcome, count(*) as calls
        from calls
        where organization_id = @organizationId
        group by status, outcome
        """;

    private const string ScheduleSql =
        """
        select
            now() as as_of,
            count(*) filter (where status = 'PENDING' and next_action_at <= now()) as due_now,
            coalesce(extract(epoch from now() - min(next_action_at) filter (where status = 'PENDING' and next_action_at <= now())), 0)::double precision
                as latest_by_seconds,
            min(next_action_at) filter (where status = 'PENDING' and next_action_at > now()) as next_due_at,
            min(coalesce(started_at, created_at)) filter (where status = 'IN_PROGRESS') as oldest_in_progress_at,
            count(*) filter (where status = 'PENDING' and retries > 0) as retries_waiting
        from calls
        where organization_id = @organizationId and status in ('PENDING', 'IN_PROGRESS')
        """;
}
