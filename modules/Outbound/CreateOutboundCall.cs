using System.Text.Json;
using FluentValidation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.Outbound;

internal static class CreateOutboundCall
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("outbound", Handle)
        .WithName(nameof(CreateOutboundCall))
        .WithSummary("Creates a call that will be dialled.")
        .WithDescription("The call is PENDING and is dialled at next_action_at, by default now; a time that has passed means now. With an Idempotency-Key the request is safe to repeat.")
        .ProducesProblem(StatusCodes.Status422UnprocessableEntity);

    internal sealed record Request(string? From, string? To, DateTimeOffset? NextActionAt, JsonElement? Metadata, CallConnection? Connect);

    internal static async Task<Results<Created<Call>, ValidationProblem, ProblemHttpResult>> Handle(
        Request request, Caller caller, HttpContext context, NewCalls calls, RequestDatabase database, DueSignal due)
    {
        var result = Rules.Validate(request);
        if (!result.IsValid) return Problems.Invalid(result.ToDictionary());

        return await InsertCall.Run(
            new(
                CallDirection.Outbound,
                request.From!,
                request.To!,
                DialNow: true,
                request.NextActionAt?.UtcDateTime,
                request.Metadata?.GetRawText(),
                request.Connect),
            caller,
            context,
            calls,
            database,
            due);
    }

    private static readonly Validator Rules = new();

    private sealed class Validator : AbstractValidator<Request>
    {
        public Validator()
        {
            RuleFor(call => call.From).IsE164();
            RuleFor(call => call.To).IsE164();
            RuleFor(call => call.Metadata).IsMetadata();
            RuleFor(call => call.Connect).IsConnection();
        }
    }
}
