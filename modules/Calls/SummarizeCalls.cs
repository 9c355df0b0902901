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

    // Of the calls with one status and outcome; without calls there is one with neither.
    private sealed record Group
    {
        public DateTime AsOf { get; init; }
        public string? Status { get; init; }
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
        await using var connection = await database.OpenConnection(cancellation);
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

    // The counts and the schedule in one pass, for it goes over all calls of the organization.
    private const string SummarySql =
        """
        select
            as_of,
            status,
            outcome,
            count(id) as calls,
            count(*) filter (where status = 'PENDING' and next_action_at <= as_of) as due_now,
            extract(epoch from as_of - min(next_action_at) filter (where status = 'PENDING' and next_action_at <= as_of))::double precision
                as latest_by_seconds,
            min(next_action_at) filter (where status = 'PENDING' and next_action_at > as_of) as next_due_at,
            min(coalesce(started_at, created_at)) filter (where status = 'IN_PROGRESS') as oldest_in_progress_at,
            count(*) filter (where status = 'PENDING' and retries > 0) as retries_waiting
        from (select now() as as_of) clock
        left join calls on organization_id = @organizationId
        group by as_of, status, outcome
        """;
}
