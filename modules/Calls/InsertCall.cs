using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Text.Unicode;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>What a client asks for when it creates a call.</summary>
/// <param name="Direction">INBOUND or OUTBOUND.</param>
/// <param name="From">E.164.</param>
/// <param name="To">E.164.</param>
/// <param name="DialNow">Due at once where <paramref name="NextActionAt"/> is null.</param>
/// <param name="NextActionAt">When to dial.</param>
/// <param name="Metadata">A JSON object, as the client wrote it.</param>
/// <param name="Connect">What the customer is connected with.</param>
public sealed record NewCall(
    string Direction, string From, string To, bool DialNow, DateTime? NextActionAt, string? Metadata, CallConnection? Connect);

/// <summary>The calls that clients create at the same time, in one statement: the row as it was inserted; null where its key is taken.</summary>
public sealed class NewCalls(RequestDatabase database) : Gather<NewCalls.Row, Call?>(database, commitsApart: true)
{
    /// <summary>A row to insert; times in UTC, <c>Hash</c> is the SHA-256 of the request that came with the key.</summary>
    public sealed record Row(Guid Id, Guid OrganizationId, NewCall Call, string? Key, byte[]? Hash);

    /// <inheritdoc />
    protected override async Task<IReadOnlyList<Call?>> Run(NpgsqlConnection connection, IReadOnlyList<Row> asks)
    {
        var calls = JsonSerializer.Serialize(asks.Select(row => new
        {
            id = row.Id,
            organization_id = row.OrganizationId,
            direction = row.Call.Direction,
            from_number = row.Call.From,
            to_number = row.Call.To,
            dial_now = row.Call.DialNow,
            next_action_at = row.Call.NextActionAt,
            metadata = row.Call.Metadata,
            connect = row.Call.Connect?.ToJson(),
            idempotency_key = row.Key,
            idempotency_hash = row.Hash is null ? null : $"\\x{Convert.ToHexString(row.Hash)}",
        }));
        var inserted = (await connection.QueryAsync<Call>(InsertSql, new { calls })).ToDictionary(call => call.Id);
        return [.. asks.Select(row => inserted.GetValueOrDefault(row.Id))];
    }

    // In the order of the keys: of two statements that insert the same ones, neither waits for the other while the other waits for it.
    internal const string InsertSql =
        $"""
        insert into calls (
            id, organization_id, direction, status, from_number, to_number, next_action_at, metadata, connect, idempotency_key, idempotency_hash, history)
        select n.id, n.organization_id, n.direction, 'PENDING', n.from_number, n.to_number,
            coalesce(n.next_action_at, case when n.dial_now then now() end), n.metadata::json, n.connect::jsonb, n.idempotency_key, n.idempotency_hash,
            jsonb_build_array(call_history_entry('created', 'api', 1, 'PENDING'))
        from json_to_recordset(@calls::json) as n (
            id uuid, organization_id uuid, direction text, from_number text, to_number text, dial_now boolean, next_action_at timestamptz,
            metadata text, connect text, idempotency_key text, idempotency_hash bytea)
        order by n.organization_id, n.idempotency_key, n.id
        on conflict (organization_id, idempotency_key) where idempotency_key is not null do nothing
        returning {Call.Columns}
        """;
}

/// <summary>
/// Creates a PENDING call, once for each Idempotency-Key. Both POSTs of calls end here, so that a key means the same on either.
/// </summary>
public static partial class InsertCall
{
    /// <summary>The header by which a client makes its request safe to repeat.</summary>
    public const string IdempotencyKey = "Idempotency-Key";

    /// <summary>The header that says that the answer is the first one's.</summary>
    public const string IdempotencyReplayed = "Idempotency-Replayed";

    /// <summary>The most bytes of metadata.</summary>
    public const int MetadataBytes = 8 * 1024;

    private const int IdempotencyKeyLength = 255;

    /// <summary>Inserts the call and answers: 201, 400 for a bad key, 422 for a key that came with another body.</summary>
    public static async Task<Results<Created<Call>, ValidationProblem, ProblemHttpResult>> Run(
        NewCall request, Caller caller, HttpContext context, NewCalls calls, RequestDatabase database, DueSignal due)
    {
        string? key = context.Request.Headers[IdempotencyKey];
        if (context.Request.Headers.ContainsKey(IdempotencyKey) && !IsKey(key))
            return Problems.Invalid(IdempotencyKey, $"must be 1 to {IdempotencyKeyLength} printable ASCII characters");

        var hash = key is null ? null : HashOf(context.Request.Path, request);
        var inserted = await calls.Ask(new(Guid.CreateVersion7(), caller.OrganizationId, request, key, hash), context.RequestAborted);
        if (inserted is not null)
        {
            due.Nudge(inserted.NextActionAt);
            return Created(inserted, context);
        }

        // The key is taken. Whoever took it has committed, or the insert would still wait for it; or it came with the same statement.
        await using var connection = await database.OpenConnection(context.RequestAborted);
        var (id, createdAt, first) = await connection.QuerySingleAsync<(Guid Id, DateTime CreatedAt, byte[] Hash)>(
            FirstSql, new { caller.OrganizationId, key });
        if (!first.AsSpan().SequenceEqual(hash))
        {
            return Problems.Of(
                StatusCodes.Status422UnprocessableEntity, "The Idempotency-Key is taken.", "This key came with another request before.");
        }

        context.Response.Headers[IdempotencyReplayed] = "true";
        return Created(FirstAnswer(request, caller, id, createdAt), context);
    }

    /// <summary>The rule for the metadata of a call.</summary>
    public static IRuleBuilderOptions<T, JsonElement?> IsMetadata<T>(this IRuleBuilder<T, JsonElement?> rule) => rule
        .Must(metadata => metadata is not { } value || value.ValueKind == JsonValueKind.Object)
        .WithMessage("must be a JSON object")
        .Must(metadata => metadata is not { } value || IsText(value))
        .WithMessage(NotText)
        .Must(metadata => metadata is not { } value || JsonMarshal.GetRawUtf8Value(value).Length <= MetadataBytes)
        .WithMessage($"may have at most {MetadataBytes} bytes");

    /// <summary>The rule for a number of a call.</summary>
    public static IRuleBuilderOptions<T, string?> IsE164<T>(this IRuleBuilder<T, string?> rule) =>
        rule.Must(PhoneNumber.IsE164).WithMessage(PhoneNumber.Expected);

    // The JSON reader does not look into strings: bytes that are no UTF-8, and half a surrogate pair (\ud800), would only be noticed
    // when they become text.
    internal static bool IsText(JsonElement value) =>
        Utf8.IsValid(JsonMarshal.GetRawUtf8Value(value)) && WithoutHalfPairs().IsMatch(value.GetRawText());

    internal const string NotText = "must be UTF-8, without half surrogate pairs";

    [GeneratedRegex(@"\A(?>(?:[^\\]|\\[^u]|\\u(?![dD][89a-fA-F]).{4}|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)*)\z", RegexOptions.Singleline)]
    private static partial Regex WithoutHalfPairs();

    private static bool IsKey(string? key) =>
        key is { Length: > 0 and <= IdempotencyKeyLength } && key.All(character => character is >= ' ' and <= '~');

    // Over what was asked, not over its bytes: a client's JSON library may order or space the same request otherwise.
    private static byte[] HashOf(string route, NewCall request) =>
        SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(new { route = route.TrimEnd('/').ToUpperInvariant(), request }));

    private static Created<Call> Created(Call call, HttpContext context)
    {
        context.Response.Headers.ETag = $"\"{call.Revision}\"";
        return TypedResults.Created($"/api/calls/{call.Id}", call);
    }

    // What was answered first follows from the same request again and from the moment of the insert: nothing else is kept for it.
    private static Call FirstAnswer(NewCall request, Caller caller, Guid id, DateTime createdAt) => new()
    {
        Id = id,
        OrganizationId = caller.OrganizationId,
        Direction = request.Direction,
        Status = CallStatus.Pending,
        FromNumber = request.From,
        ToNumber = request.To,
        NextActionAt = request.NextActionAt ?? (request.DialNow ? createdAt : null),
        Metadata = request.Metadata,
        Connect = request.Connect,
        Revision = 1,
        CreatedAt = createdAt,
        UpdatedAt = createdAt,
    };

    private const string FirstSql =
        """
        select id, created_at, idempotency_hash
        from calls
        where organization_id = @organizationId and idempotency_key = @key
        """;
}
