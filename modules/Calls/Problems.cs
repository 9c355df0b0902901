using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>The errors of the API, each as <c>application/problem+json</c>.</summary>
public static class Problems
{
    /// <summary>400: one field is wrong.</summary>
    public static ValidationProblem Invalid(string field, string message) => Invalid(new Dictionary<string, string[]> { [field] = [message] });

    /// <summary>400: each wrong field with its messages.</summary>
    public static ValidationProblem Invalid(IDictionary<string, string[]> errors) =>
        TypedResults.ValidationProblem(errors, title: "The request is not valid.");

    /// <summary>404: there is no such call, or it is another organization's.</summary>
    public static ProblemHttpResult NoSuchCall() => Of(StatusCodes.Status404NotFound, "There is no such call.", "No call of this organization has this id.");

    /// <summary>404: the path's id is not even a UUID, so no call can have it.</summary>
    public static ProblemHttpResult IdIsNoUuid() => TypedResults.Problem(new HttpValidationProblemDetails(
        new Dictionary<string, string[]> { ["id"] = ["must be a UUID, such as 019b0000-0000-7000-8000-000000000001"] })
    {
        Status = StatusCodes.Status404NotFound,
        Title = "There is no such call.",
    });

    /// <summary>A problem of another status.</summary>
    public static ProblemHttpResult Of(int status, string title, string detail) =>
        TypedResults.Problem(new ProblemDetails { Status = status, Title = title, Detail = detail });
}

/// <summary>
/// Whatever a handler throws, as a problem: what the framework found wrong with the request keeps its status; a database that is away
/// is 503, since the same request will do later; everything else is ours, 500.
/// </summary>
internal sealed partial class ProblemHandler(IProblemDetailsService problems, RequestDatabase database, ILogger<ProblemHandler> logger) : IExceptionHandler
{
    private const int RetryAfterSeconds = 2;
    private const string NotValid = "The request is not valid.";
    private const string NoObject = "must be one JSON object";

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellationToken)
    {
        var problem = exception switch
        {
            BadHttpRequestException bad => FromRequest(bad),
            NpgsqlException error when DatabaseAway.Is(error) => Unavailable(context, error),
            OverloadedException => Overloaded(context),
            OperationCanceledException when context.RequestAborted.IsCancellationRequested => new() { Status = StatusCodes.Status499ClientClosedRequest },
            // The framework knows no encoding of that name, and says so only by an exception of its own.
            InvalidOperationException when HasUnknownCharset(context.Request) => new() { Status = StatusCodes.Status415UnsupportedMediaType },
            _ => Ours(exception),
        };
        context.Response.StatusCode = problem.Status!.Value;
        return await problems.TryWriteAsync(new() { HttpContext = context, ProblemDetails = problem });
    }

    private static bool HasUnknownCharset(HttpRequest request) =>
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.Charset.HasValue && type.Encoding is null;

    private static ProblemDetails FromRequest(BadHttpRequestException bad) => bad switch
    {
        { StatusCode: not StatusCodes.Status400BadRequest } => new ProblemDetails { Status = bad.StatusCode },
        { InnerException: JsonException json } => FromJson(json),
        _ when bad.Message.Contains("no body was provided", StringComparison.Ordinal) => Invalid("body", NoObject),
        _ => new ProblemDetails { Status = bad.StatusCode, Title = NotValid, Detail = bad.Message },
    };

    // System.Text.Json names the place in its path: $.metadata.x, and $['it''s'] where a name is not a plain word.
    private static HttpValidationProblemDetails FromJson(JsonException json)
    {
        var path = FirstField().Match(json.Path ?? "");
        if (!path.Success) return Invalid("body", NoObject);
        return Invalid(path.Groups["name"].Value, json.Message switch
        {
            Rfc3339.Expected => Rfc3339.Expected,
            var message when message.Contains("could not be mapped", StringComparison.Ordinal) => "is not a field of this request",
            var message when message.StartsWith("Duplicate", StringComparison.Ordinal) => "stands here twice, or holds a field twice",
            var message when message.StartsWith("The JSON value could not be converted", StringComparison.Ordinal) => "has a value of the wrong type",
            _ => "is not valid JSON here",
        });
    }

    private static HttpValidationProblemDetails Invalid(string field, string message) =>
        new(new Dictionary<string, string[]> { [field] = [message] }) { Status = StatusCodes.Status400BadRequest, Title = NotValid };

    private ProblemDetails Unavailable(HttpContext context, NpgsqlException error)
    {
        database.LeaveReadOnlyServer(error);
        logger.LogWarning("The database is away ({SqlState}); answered 503.", error.SqlState ?? error.GetType().Name);
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new() { Status = StatusCodes.Status503ServiceUnavailable, Detail = "The database is away for the moment; the same request will do later." };
    }

    private static ProblemDetails Overloaded(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return new() { Status = StatusCodes.Status503ServiceUnavailable, Detail = "More requests came at once than can be served; nothing was done, and the same request will do a moment later." };
    }

    // Not the exception itself: its message or its inner ones may quote the request.
    private ProblemDetails Ours(Exception exception)
    {
        logger.LogError("Request failed: {Error} at {Stack}", Describe(exception), exception.StackTrace);
        return new() { Status = StatusCodes.Status500InternalServerError };
    }

    private static string Describe(Exception exception) => exception is PostgresException error
        ? $"PostgreSQL {error.SqlState} {error.ConstraintName}"
        : exception.GetType().Name;

    [GeneratedRegex(@"\A\$(?:\.(?<name>[^.\[]+)|\['(?<name>.*?)'\](?=\z|[.\[]))", RegexOptions.Singleline)]
    private static partial Regex FirstField();
}

/// <summary>Tells a database that is away for a while from a statement that is wrong.</summary>
public static class DatabaseAway
{
    private const string IdleInTransactionSessionTimeout = "25P03";

    /// <summary>
    /// Why the database cannot be used, in a word to look up: PostgreSQL's code, or the kind of the error. Never its message, which may
    /// name the user or quote a row.
    /// </summary>
    public static string Reason(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return (error as PostgresException)?.SqlState ?? error.InnerException?.GetType().Name ?? error.GetType().Name;
    }

    /// <summary>
    /// Whether the same statement can be expected to work later: no connection, a server that stops or starts (57P01…57P03), a
    /// read-only one after a failover (25006), too many connections, a timeout of a statement or of a lock.
    /// </summary>
    public static bool Is(NpgsqlException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return error is not PostgresException postgres
            || postgres.SqlState.StartsWith("08", StringComparison.Ordinal)
            || postgres.SqlState.StartsWith("57", StringComparison.Ordinal)
            || postgres.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.TooManyConnections
                or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure
                or IdleInTransactionSessionTimeout;
    }
}
