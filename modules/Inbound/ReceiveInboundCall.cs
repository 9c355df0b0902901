using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.Inbound;

internal static class ReceiveInboundCall
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Post, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapMethods("/webhooks/inbound", Methods, Handle)
        .RequireAuthorization(Schemes.WebhookToken)
        .WithTags("Webhooks")
        .WithName(nameof(ReceiveInboundCall))
        .WithSummary("Takes a request of a Passthru or Voicebot applet.")
        .WithDescription(
            "Query, urlencoded, multipart or JSON. The first request of a CallSid inserts the call IN_PROGRESS; later ones add what is new; the end completes it. "
            + "A call that we placed ourselves is recognised and never becomes an inbound one; an outbound call that is not ours is answered with call_id null. "
            + "Always exactly 200, since any redirect takes the other branch of the caller's flow.");

    /// <param name="CallId">The call; null for an outbound call that is not ours.</param>
    /// <param name="Status">Its status now.</param>
    internal sealed record Response(Guid? CallId, string? Status);

    internal static async Task<Results<Ok<Response>, Ok, ValidationProblem>> Handle(
        Caller caller, HttpContext context, RequestDatabase database, CallTimers timers)
    {
        var request = await ProviderRequest.Read(context);
        var happened = Understand(request) with { FromApplet = true };
        if (happened.ProviderCallId is null)
        {
            // A probe asks only whether somebody is here.
            if (HttpMethods.IsHead(context.Request.Method)) return TypedResults.Ok();
            return Problems.Invalid("CallSid", "is missing");
        }

        await Failpoint.Hit(Failpoint.BeforeWebhookCommit);
        await using var connection = await database.OpenConnection(context.RequestAborted);
        var applied = await ApplyProviderEvent.Run(connection, caller.OrganizationId, happened, timers);
        // Somebody else's outbound call passes the same flow. Its caller must not take the wrong branch because we do not know it.
        if (applied is null && IsOutbound(request)) return TypedResults.Ok(new Response(null, null));
        applied ??= await Begin(connection, caller, happened, timers);
        await Failpoint.Hit(Failpoint.AfterWebhookCommit);
        return TypedResults.Ok(new Response(applied.Id, applied.Status));
    }

    /// <summary>What an applet's request says about the call that passes it, in our words.</summary>
    internal static ProviderEvent Understand(ProviderRequest request)
    {
        var eventType = ProviderEvent.Fold(request["EventType"]);
        var callType = ProviderEvent.Fold(request["CallType"]);
        var callStatus = ProviderEvent.Fold(request["CallStatus"]);
        // Dial and Terminal speak of an agent's leg: Dial with busy means that the agent's phone rings.
        var status = eventType is "dial" or "terminal" ? null : ProviderEvent.Fold(request["Status"]);
        var answered = eventType == "answered" || callStatus == "in-progress" || status == "in-progress";

        var final = ProviderEvent.OutcomeOf(callStatus) ?? ProviderEvent.OutcomeOf(status);
        // The bot alone hanging up is no end: the flow may go on.
        var callerHungUp = ProviderEvent.Fold(request["Stream[DisconnectedBy]", "DisconnectedBy"]) == "user";
        var endsAs = callType switch
        {
            "completed" => CallOutcome.Completed,
            "incomplete" or "voicemail" => CallOutcome.NoAnswer,
            "client-hangup" => CallOutcome.Canceled,
            _ => final ?? (callerHungUp ? CallOutcome.Completed : null),
        };
        if (endsAs is not null)
        {
            var outcome = ProviderEvent.OutcomeOf(request["DialCallStatus"]) ?? final ?? endsAs;
            return ProviderEvent.Of(request, outcome, ProviderEventKind.Ended, outcome);
        }

        return answered
            ? ProviderEvent.Of(request, "answered", ProviderEventKind.Answered, null)
            : ProviderEvent.Of(request, request["EventType", "CallType", "CallStatus", "Status"] ?? "passthru", ProviderEventKind.Noted, null);
    }

    private static bool IsOutbound(ProviderRequest request) =>
        request["Direction"]?.StartsWith("outbound", StringComparison.OrdinalIgnoreCase) == true;

    private static async Task<AppliedEvent> Begin(NpgsqlConnection connection, Caller caller, ProviderEvent happened, CallTimers timers)
    {
        await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
        // Another request of the same call may be inserting it at this moment; then this one waits for it and adds to its row.
        await connection.ExecuteAsync(BeginSql, new
        {
            id = Guid.CreateVersion7(),
            caller.OrganizationId,
            happened.From,
            happened.To,
            happened.ProviderCallId,
            timers.CallTimeout,
        });
        var applied = await ApplyProviderEvent.Run(connection, caller.OrganizationId, happened, timers);
        await transaction.CommitAsync(CancellationToken.None);
        return applied ?? throw new InvalidOperationException("The call that was inserted is not there.");
    }

    private const string BeginSql =
        """
        insert into calls (id, organization_id, direction, status, from_number, to_number, provider_call_id, started_at, next_action_at, history)
        values (
            @id, @organizationId, 'INBOUND', 'IN_PROGRESS', @from, @to, @providerCallId, now(), now() + @callTimeout,
            jsonb_build_array(call_history_entry('created', 'provider', 1, 'IN_PROGRESS')))
        on conflict (organization_id, reverse(provider_call_id)) where provider_call_id is not null do nothing
        """;
}
