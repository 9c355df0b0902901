using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;

namespace CallOrchestration.Calls;

internal static class ReadCall
{
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("{id}", Handle)
        .WithName(nameof(ReadCall))
        .WithSummary("Reads a call with its history.")
        .WithDescription("ETag is the call's revision. With If-None-Match of that revision the answer is 304.")
        .Produces(StatusCodes.Status304NotModified)
        .ProducesProblem(StatusCodes.Status404NotFound);

    /// <summary>A call with everything that happened to it.</summary>
    internal sealed record CallWithHistory : Call
    {
        /// <summary>Every change of status and every provider event, in order; at most 64.</summary>
        [JsonPropertyOrder(1)]
        public IReadOnlyList<HistoryEntry> History { get; init; } = [];

        /// <summary>How many entries came after those 64 and were dropped.</summary>
        [JsonPropertyOrder(2)]
        public int HistoryDropped { get; init; }
    }

    /// <param name="At">When it was written down, UTC.</param>
    /// <param name="Event">What happened; a provider's own word as it sent it.</param>
    /// <param name="Source">api, scheduler, provider or watchdog; database for a change made past all of them.</param>
    /// <param name="Attempt">1, or 2 for the retry.</param>
    /// <param name="Status">The call's status after it.</param>
    /// <param name="Applied">Of a provider's event: whether it changed the call.</param>
    /// <param name="Details">What came with it, as it came.</param>
    internal sealed record HistoryEntry(
        DateTime At,
        string Event,
        string Source,
        int Attempt,
        string Status,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Applied,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Details);

    internal static async Task<Results<Ok<CallWithHistory>, ProblemHttpResult, StatusCodeHttpResult>> Handle(
        string id, Caller caller, HttpContext context, CallsById calls, CancellationToken cancellation)
    {
        if (!Guid.TryParseExact(id, "D", out var callId)) return Problems.IdIsNoUuid();
        if (await calls.Ask((callId, caller.OrganizationId), cancellation) is not { } call) return Problems.NoSuchCall();

        var tag = $"\"{call.Revision}\"";
        context.Response.Headers.ETag = tag;
        var known = context.Request.Headers.IfNoneMatch.ToString().Split(',', StringSplitOptions.TrimEntries);
        return known.Contains(tag) || known.Contains("W/" + tag) || known.Contains("*")
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(call);
    }

    /// <summary>Reads the column <c>history</c>.</summary>
    internal sealed class HistoryColumn : SqlMapper.TypeHandler<IReadOnlyList<HistoryEntry>>
    {
        private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

        public override IReadOnlyList<HistoryEntry> Parse(object value) =>
            JsonSerializer.Deserialize<IReadOnlyList<HistoryEntry>>((string)value, SnakeCase)!;

        public override void SetValue(System.Data.IDbDataParameter parameter, IReadOnlyList<HistoryEntry>? value) =>
            throw new NotSupportedException("The history is only written by statements that add to it.");
    }
}

/// <summary>Reads calls, those that are asked for at the same moment in one statement; null where the organization has no such call.</summary>
internal sealed class CallsById(RequestDatabase database) : Gather<(Guid Id, Guid OrganizationId), ReadCall.CallWithHistory?>(database, commitsApart: false)
{
    protected override async Task<IReadOnlyList<ReadCall.CallWithHistory?>> Run(NpgsqlConnection connection, IReadOnlyList<(Guid Id, Guid OrganizationId)> asks)
    {
        var found = (await connection.QueryAsync<ReadCall.CallWithHistory>(ReadSql, new
        {
            ids = asks.Select(ask => ask.Id).ToArray(),
            organizationIds = asks.Select(ask => ask.OrganizationId).ToArray(),
        })).ToDictionary(call => (call.Id, call.OrganizationId));
        return [.. asks.Select(ask => found.GetValueOrDefault(ask))];
    }

    internal const string ReadSql =
        $"""
        select {Call.Columns}, history, history_dropped
        from calls
        where (id, organization_id) in (select * from unnest(@ids::uuid[], @organizationIds::uuid[]))
        """;
}
