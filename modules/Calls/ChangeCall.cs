using System.Text.Json.Serialization;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;
using Npgsql;

namespace CallOrchestration.Calls;

internal static class ChangeCall
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPatch("{id}", Handle)
        .Accepts<CallChange.Request>("application/merge-patch+json", "application/json")
        .WithName(nameof(ChangeCall))
        .WithSummary("Changes a call: dials it now, ends it, calls it off, moves its time, changes its metadata.")
        .WithDescription(
            "A JSON merge patch (RFC 7396). status goes from PENDING to IN_PROGRESS (an outbound call is dialled now), from IN_PROGRESS to COMPLETED "
            + "(outcome, by default completed) or from PENDING to COMPLETED (outcome canceled). A cancel that is answered 200 means that the call will never "
            + "be dialled; one that came too late is 409. next_action_at moves only while the call is PENDING; null takes it off the schedule. metadata is "
            + "merged; null within it removes a field. If-Match with the call's ETag makes the change conditional.")
        .ProducesProblem(StatusCodes.Status404NotFound)
        .ProducesProblem(StatusCodes.Status409Conflict)
        .ProducesProblem(StatusCodes.Status412PreconditionFailed);

    /// <summary>The row as this slice reads it.</summary>
    internal sealed record Row : Call
    {
        [JsonIgnore]
        public int Claims { get; init; }

        [JsonIgnore]
        public string ExoPhone { get; init; } = "";

        [JsonIgnore]
        public byte[] CallbackSecret { get; init; } = [];
    }

    internal static async Task<Results<Ok<Call>, ValidationProblem, ProblemHttpResult>> Handle(
        string id, CallChange.Request request, Caller caller, HttpContext context, RequestDatabase database, CallTimers timers,
        DueSignal due, DialNow dial, TimeProvider time)
    {
        if (!Guid.TryParseExact(id, "D", out var callId)) return Problems.IdIsNoUuid();
        var errors = new Dictionary<string, string[]>();
        var change = CallChange.Read(request, errors);
        if (errors.Count > 0) return Problems.Invalid(errors);

        var claimedAt = time.GetTimestamp();
        await using var connection = await database.OpenConnection(context.RequestAborted);
        await using var transaction = await connection.BeginTransactionAsync(context.RequestAborted);
        // The lock makes the rest of the transaction one step: neither a claim nor an event can come in between.
        var call = await connection.QuerySingleOrDefaultAsync<Row>(LockSql, new { id = callId, caller.OrganizationId });
        if (call is null) return Problems.NoSuchCall();
        if (!Matches(context.Request.Headers.IfMatch, call.Revision))
        {
            return Problems.Of(
                StatusCodes.Status412PreconditionFailed, "The call has changed.", $"The call is at revision {call.Revision}; read it again.");
        }

        if (change.ConflictWith(call) is { } conflict) return TypedResults.Problem(conflict);
        var metadata = change.MetadataOf(call, errors);
        if (change.MovesTime && call.Direction == CallDirection.Inbound) errors["next_action_at"] = ["must be absent: an inbound call is never dialled"];
        if (errors.Count > 0) return Problems.Invalid(errors);

        if ((change.Status ?? call.Status) != call.Status || change.MovesTime || metadata != call.Metadata)
        {
            call = await connection.QuerySingleAsync<Row>(UpdateSql, new
            {
                id = callId,
                status = change.Status ?? call.Status,
                outcome = change.OutcomeFor(call),
                starts = change.Status == CallStatus.InProgress,
                wait = call.Direction == CallDirection.Outbound ? timers.AnswerTimeout : timers.CallTimeout,
                moves = change.MovesTime,
                change.NextActionAt,
                metadata,
                happened = change.EventFor(call),
            });
        }

        // Not the request's token: a client that hangs up now must not leave it open whether the call was claimed.
        await transaction.CommitAsync(CancellationToken.None);
        if (change.Status == CallStatus.InProgress && call.Direction == CallDirection.Outbound) dial(Claimed(call, claimedAt));
        if (change.MovesTime) due.Nudge(call.NextActionAt);
        context.Response.Headers.ETag = $"\"{call.Revision}\"";
        return TypedResults.Ok<Call>(call);
    }

    private static ClaimedCall Claimed(Row call, long claimedAt) => new()
    {
        Id = call.Id,
        OrganizationId = call.OrganizationId,
        FromNumber = call.FromNumber!,
        ToNumber = call.ToNumber!,
        Connect = call.Connect,
        ExoPhone = call.ExoPhone,
        CallbackSecret = call.CallbackSecret,
        Attempt = call.Retries + 1,
        Claims = call.Claims,
        ClaimedAt = claimedAt,
    };

    // The strong comparison of RFC 9110: a weak tag never matches.
    private static bool Matches(StringValues ifMatch, int revision) =>
        ifMatch.Count == 0
        || ifMatch.ToString().Split(',', StringSplitOptions.TrimEntries).Any(tag => tag == "*" || tag == $"\"{revision}\"");

    private const string LockSql =
        $"""
        select {Call.Columns}, claims
        from calls
        where id = @id and organization_id = @organizationId
        for no key update
        """;

    private const string UpdateSql =
        $"""
        update calls c
        set status = @status,
            outcome = @outcome,
            next_action_at = case
                when @starts then now() + @wait
                when @status = 'COMPLETED' then null
                when @moves then @nextActionAt
                else next_action_at end,
            claim_id = case when @starts then null else claim_id end,
            look_ups = case when @starts then 0 else look_ups end,
            started_at = case when @starts then now() else started_at end,
            answered_at = case when @starts then null else answered_at end,
            ended_at = case when @starts then null when status = 'IN_PROGRESS' and @status = 'COMPLETED' then now() else ended_at end,
            duration_seconds = case when @starts then null else duration_seconds end,
            recording_url = case when @starts then null else recording_url end,
            metadata = @metadata::json,
            history = case
                when @happened::text is null then history
                else history || call_history_entry(
                    @happened, 'api', retries + 1, @status, case when @moves then jsonb_build_object('next_action_at', @nextActionAt) end) end
        where id = @id
        returning {Call.Columns}, claims,
            (select phone_number from organizations o where o.id = c.organization_id) as exo_phone,
            (select callback_secret from organizations o where o.id = c.organization_id) as callback_secret
        """;
}
