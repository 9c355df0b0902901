using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.ProviderEvents;

internal static class ReceiveProviderEvent
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Post, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapMethods("/webhooks/provider-event", Methods, Handle)
        .RequireAuthorization(Schemes.Callback)
        .WithTags("Webhooks")
        .WithName(nameof(ReceiveProviderEvent))
        .WithSummary("Takes a status callback of the provider.")
        .WithDescription(
            "Query, urlencoded, multipart or JSON. Finds the call by ?call=, CustomField or CallSid. Answered, completed, no-answer, busy, failed and canceled "
            + "change the call if they are of its current attempt; whatever is repeated, late or unknown is kept in the history and answered 200 with applied false. "
            + "200 means that it is committed; on 404 and 503 the provider should send it again.")
        .ProducesProblem(StatusCodes.Status404NotFound);

    internal static async Task<Results<Ok<AppliedEvent>, Ok, ValidationProblem, ProblemHttpResult>> Handle(
        Caller caller, HttpContext context, Calls.ProviderEvents events, DueSignal due)
    {
        var query = context.Request.Query;
        var (callId, attempt) = (caller.SignedCallId, caller.SignedAttempt);
        if (callId is null && query.TryGetValue("call", out var call))
        {
            if (!Guid.TryParse(call, out var id)) return Problems.Invalid("call", "must be a UUID");
            callId = id;
        }

        if (attempt is null && query.TryGetValue("attempt", out var number))
        {
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var given) || given is not (1 or 2))
                return Problems.Invalid("attempt", "must be 1 or 2");
            attempt = given;
        }

        var request = await ProviderRequest.Read(context);
        var happened = Understand(request);
        happened = happened with { CallId = callId ?? happened.CallId, Attempt = attempt };
        if (happened is { CallId: null, ProviderCallId: null })
        {
            // A probe asks only whether somebody is here.
            if (HttpMethods.IsHead(context.Request.Method)) return TypedResults.Ok();
            return Problems.Invalid("CallSid", "is missing, and nothing else names the call");
        }

        await Failpoint.Hit(Failpoint.BeforeWebhookCommit);
        var applied = await events.Apply(caller.OrganizationId, happened, context.RequestAborted);
        await Failpoint.Hit(Failpoint.AfterWebhookCommit);
        if (applied is null) return Problems.NoSuchCall();
        if (applied is { Applied: true, Status: CallStatus.Pending }) due.Nudge(applied.NextActionAt);
        return TypedResults.Ok(applied);
    }

    /// <summary>What a status callback says, in our words.</summary>
    internal static ProviderEvent Understand(ProviderRequest request)
    {
        var type = ProviderEvent.Fold(request["EventType"]);
        var status = ProviderEvent.Fold(request["Status", "CallStatus"]);
        if (type == "answered" || (type is null or "terminal" && status == "in-progress"))
            return ProviderEvent.Of(request, "answered", ProviderEventKind.Answered, null);
        // Any other EventType speaks of an agent's phone: Dial with busy means that it rings.
        if (type is null or "terminal" && ProviderEvent.OutcomeOf(status) is { } outcome)
            return ProviderEvent.Of(request, outcome, ProviderEventKind.Ended, outcome);
        return ProviderEvent.Of(request, request["Status", "CallStatus", "EventType"] ?? "received", ProviderEventKind.Noted, null);
    }
}
