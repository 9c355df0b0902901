using System.Text.Json;
using FluentValidation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.Calls;

internal static class CreateCall
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("", Handle)
        .WithName(nameof(CreateCall))
        .WithSummary("Creates a call.")
        .WithDescription(
            "The call is PENDING. Without next_action_at nothing is scheduled: PATCH gives it a time, or dials it at once. An inbound call is "
            + "never dialled, so it takes no next_action_at.")
        .ProducesProblem(StatusCodes.Status422UnprocessableEntity);

    internal sealed record Request(string? Direction, string? From, string? To, DateTimeOffset? NextActionAt, JsonElement? Metadata, CallConnection? Connect);

    internal static async Task<Results<Created<Call>, ValidationProblem, ProblemHttpResult>> Handle(
        Request request, Caller caller, HttpContext context, NewCalls calls, RequestDatabase database, DueSignal due)
    {
        var result = Rules.Validate(request);
        if (!result.IsValid) return Problems.Invalid(result.ToDictionary());

        return await InsertCall.Run(
            new(
                request.Direction ?? CallDirection.Outbound,
                request.From!,
                request.To!,
                DialNow: false,
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
            RuleFor(call => call.Direction)
                .Must(direction => direction is null || CallDirection.All.Contains(direction))
                .WithMessage($"must be {string.Join(" or ", CallDirection.All)}");
            RuleFor(call => call.From).IsE164();
            RuleFor(call => call.To).IsE164();
            RuleFor(call => call.NextActionAt)
                .Null()
                .When(call => call.Direction == CallDirection.Inbound, ApplyConditionTo.CurrentValidator)
                .WithMessage("must be absent: an inbound call is never dialled");
            RuleFor(call => call.Metadata).IsMetadata();
            RuleFor(call => call.Connect).IsConnection();
            RuleFor(call => call.Connect)
                .Null()
                .When(call => call.Direction == CallDirection.Inbound, ApplyConditionTo.CurrentValidator)
                .WithMessage("must be absent: an inbound call is never dialled");
        }
    }
}
