using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CallOrchestration.Calls;

internal static class ListCalls
{
    private const int StandardLimit = 50;
    private const int MostLimit = 200;

    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("", Handle)
        .WithName(nameof(ListCalls))
        .Produces<Page>()
        .WithSummary("Lists calls, newest first.")
        .WithDescription(
            "Every filter narrows the list. next_cursor is null on the last page; following it gives every call once, whatever is inserted meanwhile. "
            + "Times take any offset; in a URL a + is written %2B.");

    /// <param name="Items">Up to <c>limit</c> calls, newest first.</param>
    /// <param name="NextCursor">For the next page; null on the last.</param>
    internal sealed record Page(IReadOnlyList<Call> Items, string? NextCursor);

    internal static async Task<Results<FileContentHttpResult, ValidationProblem>> Handle(
        Caller caller, HttpContext context, RequestDatabase database, IOptions<JsonOptions> json, CancellationToken cancellation)
    {
        var errors = new Dictionary<string, string[]>();
        await using var command = new NpgsqlCommand();
        var parameters = command.Parameters;
        parameters.AddWithValue("organizationId", caller.OrganizationId);
        var clauses = new StringBuilder();
        IEnumerable<string> statuses = CallStatus.All;
        var limit = StandardLimit;

        foreach (var (name, values) in context.Request.Query)
        {
            var value = values.ToString();
            if (values.Count > 1) errors[name] = ["stands here more than once"];
            else if (name == "limit") Read(int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MostLimit, $"must be a whole number from 1 to {MostLimit}");
            else if (name == "cursor") Filter(Cursor.TryRead(value, caller, parameters) ? AfterCursorSql : null, "is no cursor of this list");
            else if (Filters.TryGetValue(name, out var filter)) Narrow(filter);
            else errors[name] = [$"is no parameter of this list; there are {string.Join(", ", Filters.Keys)}, limit, cursor"];

            void Read(bool valid, string expected)
            {
                if (!valid) errors[name] = [expected];
            }

            void Filter(string? clause, string expected)
            {
                Read(clause is not null, expected);
                clauses.Append('\n').Append(clause);
            }

            void Narrow(ListFilter filter)
            {
                Filter(filter.Clause(value, parameters), filter.Expected);
                if (filter.StatusOf is { } status) statuses = statuses.Where(other => other == status(value));
            }
        }

        if (errors.Count > 0) return Problems.Invalid(errors);

        // Each status has its index of the newest, and PostgreSQL merges the few that are wanted of each. Neither the words nor the limit are parameters:
        // a plan for any status finds no index, one for any limit expects a tenth of the calls and sorts them all, and one for any outcome expects so
        // few calls that PostgreSQL would plan each page anew, for half of the page's time. One more than asked tells whether there is a next page.
        var newest = string.Create(CultureInfo.InvariantCulture, $"{NewestFirstSql} {limit + 1}");
        var inbound = context.Request.Query["direction"] == CallDirection.Inbound;
        var ofEach = string.Join("\nunion all\n", statuses.Select(status =>
            $"({SelectSql} and status = '{status}'{clauses}\n{(inbound && status == CallStatus.Pending ? NeverDueSql : "")}\n{newest})"));
        using var page = new PageJson(json.Value.SerializerOptions.Encoder);
        string? next = null, afterLast = null;
        if (ofEach.Length > 0)
        {
            await using var connection = await database.OpenForLongRead(cancellation);
            (command.Connection, command.CommandText) = (connection, $"select * from ({ofEach}) calls\n{newest}");
            await using var rows = await command.ExecuteReaderAsync(cancellation);
            while (await rows.ReadAsync(cancellation))
            {
                // The row beyond the page only tells that there is one.
                next = afterLast;
                if (next is not null) break;
                page.Add(rows);
                if (page.Calls == limit) afterLast = Cursor.After(rows.GetDateTime(rows.GetOrdinal("created_at")), rows.GetGuid(rows.GetOrdinal("id")), caller);
            }
        }

        return TypedResults.Bytes(page.End(next), "application/json; charset=utf-8");
    }

    // The clause is null for a value that is not what is expected.
    private sealed record ListFilter(string Expected, Func<string, NpgsqlParameterCollection, string?> Clause)
    {
        // The only status that its calls can have.
        public Func<string, string>? StatusOf { get; init; }
    }

    private static readonly Dictionary<string, ListFilter> Filters = new()
    {
        // The statement of each status has it already.
        ["status"] = OneOf(CallStatus.All, _ => "") with { StatusOf = status => status },
        ["direction"] = OneOf(CallDirection.All, word => $"and direction = '{word}'"),
        ["outcome"] = OneOf(CallOutcome.All, word => $"and outcome = '{word}'") with { StatusOf = _ => CallStatus.Completed },
        ["from"] = Number("from", "and from_number = @from"),
        ["to"] = Number("to", "and to_number = @to"),
        ["created_after"] = Time("created_after", "and created_at > @created_after"),
        ["created_before"] = Time("created_before", "and created_at < @created_before"),
        ["due_before"] = Time("due_before", "and next_action_at < @due_before") with { StatusOf = _ => CallStatus.Pending },
    };

    private static ListFilter OneOf(IReadOnlyList<string> words, Func<string, string> sql) =>
        new($"must be {string.Join(", ", words)}", (text, _) => words.Contains(text) ? sql(text) : null);

    private static ListFilter Number(string name, string sql) => new(PhoneNumber.Expected, (text, parameters) =>
    {
        // A + in a query arrives as a space, and no number begins with one.
        var number = text.StartsWith(' ') ? "+" + text[1..] : text;
        if (!PhoneNumber.IsE164(number)) return null;
        parameters.AddWithValue(name, number);
        return sql;
    });

    private static ListFilter Time(string name, string sql) => new(Rfc3339.Expected + "; in a URL a + is written %2B", (text, parameters) =>
    {
        if (!Rfc3339.TryParse(text, out var time)) return null;
        parameters.AddWithValue(name, time.UtcDateTime);
        return sql;
    });

    /// <summary>
    /// The last call of a page, as (created_at, id), with a checksum over both and the organization: a cursor that was made up or taken
    /// from another organization is refused instead of giving some page.
    /// </summary>
    private static class Cursor
    {
        private const int PayloadBytes = sizeof(long) + 16;
        private const int ChecksumBytes = 8;

        public static string After(DateTime createdAt, Guid id, Caller caller)
        {
            Span<byte> cursor = stackalloc byte[PayloadBytes + ChecksumBytes];
            BinaryPrimitives.WriteInt64BigEndian(cursor, createdAt.Ticks);
            id.TryWriteBytes(cursor[sizeof(long)..], bigEndian: true, out _);
            Checksum(cursor[..PayloadBytes], caller).CopyTo(cursor[PayloadBytes..]);
            return Base64Url.EncodeToString(cursor);
        }

        public static bool TryRead(string text, Caller caller, NpgsqlParameterCollection parameters)
        {
            Span<byte> cursor = stackalloc byte[PayloadBytes + ChecksumBytes];
            if (!Base64Url.IsValid(text, out var length) || length != cursor.Length) return false;
            Base64Url.DecodeFromChars(text, cursor);
            if (!cursor[PayloadBytes..].SequenceEqual(Checksum(cursor[..PayloadBytes], caller))) return false;
            // The checksum holds no secret: whoever computes it may still ask for a time that does not exist.
            var ticks = BinaryPrimitives.ReadInt64BigEndian(cursor);
            if (ticks < Rfc3339.Earliest.Ticks || ticks >= Rfc3339.Latest.Ticks) return false;
            parameters.AddWithValue("createdAt", new DateTime(ticks, DateTimeKind.Utc));
            parameters.AddWithValue("id", new Guid(cursor.Slice(sizeof(long), 16), bigEndian: true));
            return true;
        }

        private static ReadOnlySpan<byte> Checksum(ReadOnlySpan<byte> payload, Caller caller) =>
            SHA256.HashData([.. payload, .. caller.OrganizationId.ToByteArray()]).AsSpan(0, ChecksumBytes);
    }

    private const string SelectSql =
        $"""
        select {Call.Columns}
        from calls
        where organization_id = @organizationId
        """;

    private const string AfterCursorSql = "and (created_at, id) < (@createdAt, @id)";

    // An inbound call never is, and these are found without a look at each that waits.
    private const string NeverDueSql = "and next_action_at is null";

    private const string NewestFirstSql =
        """
        order by created_at desc, id desc
        limit
        """;
}
