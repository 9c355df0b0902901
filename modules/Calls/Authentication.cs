using System.Buffers.Text;
using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Dapper;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>The organization in whose name a request comes.</summary>
/// <param name="OrganizationId">The organization.</param>
/// <param name="SignedCallId">The call that the request's signature is good for; null where a token was given.</param>
/// <param name="SignedAttempt">The attempt that the signature is good for.</param>
public sealed record Caller(Guid OrganizationId, Guid? SignedCallId = null, int? SignedAttempt = null)
{
    /// <summary>Binds a handler's parameter to who was authenticated.</summary>
    public static ValueTask<Caller?> BindAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return ValueTask.FromResult(context.Items[typeof(Caller)] as Caller);
    }
}

/// <summary>The authentication schemes, which are also the names of the policies that ask for them.</summary>
public static class Schemes
{
    /// <summary><c>Authorization: Bearer</c> with an organization's API key.</summary>
    public const string ApiKey = "ApiKey";

    /// <summary><c>?token=</c> with an organization's webhook token.</summary>
    public const string WebhookToken = "WebhookToken";

    /// <summary><c>?call=…&amp;attempt=…&amp;signature=…</c>, the callback URL that the provider was given; or <c>?token=</c>.</summary>
    public const string Callback = "Callback";
}

/// <summary>Signs the callback URL of an attempt: Exotel itself signs nothing, and its default callback names no call but by CallSid.</summary>
public static class CallbackSignature
{
    /// <summary>HMAC-SHA256 over organization, call and attempt, in URL-safe base64.</summary>
    public static string Of(byte[] secret, Guid organizationId, Guid callId, int attempt) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(
            secret, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{organizationId:N}.{callId:N}.{attempt}"))));
}

/// <summary>One handler for the three schemes: each finds an organization by the hash of what was sent.</summary>
internal sealed class OrganizationAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, Secrets secrets)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    private const string Bearer = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var caller = Scheme.Name switch
        {
            Schemes.ApiKey => await BySecret(Secrets.Kind.ApiKey, BearerToken()),
            Schemes.Callback when Request.Query.ContainsKey("signature") => await BySignature(),
            _ => await BySecret(Secrets.Kind.WebhookToken, Request.Query["token"]),
        };
        if (caller is null) return AuthenticateResult.NoResult();

        Context.Items[typeof(Caller)] = caller;
        var identity = new ClaimsIdentity([new("organization_id", caller.OrganizationId.ToString())], Scheme.Name);
        return AuthenticateResult.Success(new(new ClaimsPrincipal(identity), Scheme.Name));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        if (Scheme.Name == Schemes.ApiKey) Response.Headers.WWWAuthenticate = "Bearer";
        return Task.CompletedTask;
    }

    private string? BearerToken()
    {
        string? header = Request.Headers.Authorization;
        return header?.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) == true ? header[Bearer.Length..].Trim() : null;
    }

    private async Task<Caller?> BySecret(Secrets.Kind kind, string? secret)
    {
        if (string.IsNullOrEmpty(secret)) return null;
        var hash = Organizations.Hash(secret);
        var known = await secrets.Ask(new(kind, hash), Context.RequestAborted);
        return known is not null && CryptographicOperations.FixedTimeEquals(known.Value, hash) ? new(known.OrganizationId) : null;
    }

    // Whatever is wrong, the answer is the same: no hint which part it was.
    private async Task<Caller?> BySignature()
    {
        if (!Guid.TryParse(Request.Query["call"], out var call)
            || !int.TryParse(Request.Query["attempt"], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt))
        {
            return null;
        }

        if (await secrets.Ask(new(Secrets.Kind.OfCall, call.ToByteArray(bigEndian: true)), Context.RequestAborted) is not { } known) return null;
        var expected = Encoding.ASCII.GetBytes(CallbackSignature.Of(known.Value, known.OrganizationId, call, attempt));
        var sent = Encoding.UTF8.GetBytes(Request.Query["signature"].ToString());
        return CryptographicOperations.FixedTimeEquals(expected, sent) ? new(known.OrganizationId, call, attempt) : null;
    }
}

/// <summary>
/// Finds organizations by what requests bring, those of the same moment in one statement. Nothing is kept: a key that was rotated is refused
/// from the next request on.
/// </summary>
internal sealed class Secrets(RequestDatabase database) : Gather<Secrets.Sought, Secrets.Known?>(database, commitsApart: false)
{
    public enum Kind
    {
        /// <summary>By the hash of its API key.</summary>
        ApiKey,

        /// <summary>By the hash of its webhook token.</summary>
        WebhookToken,

        /// <summary>By the id of one of its calls; what is known then is the secret that signs its callbacks.</summary>
        OfCall,
    }

    public sealed record Sought(Kind Kind, byte[] By);

    public sealed record Known(Guid OrganizationId, byte[] Value);

    protected override async Task<IReadOnlyList<Known?>> Run(NpgsqlConnection connection, IReadOnlyList<Sought> asks)
    {
        var found = await connection.QueryAsync<(int Number, Guid Id, byte[] Value)>(FindSql, new
        {
            kinds = asks.Select(sought => (int)sought.Kind).ToArray(),
            by = asks.Select(sought => sought.By).ToArray(),
        });
        var known = new Known?[asks.Count];
        foreach (var (number, id, value) in found) known[number - 1] = new(id, value);
        return known;
    }

    // The sub-selects hide how many ask: seeing one or seven in place of the ten that it guesses, PostgreSQL would plan each time anew.
    internal const string FindSql =
        """
        select s.number::integer, f.id, f.value
        from unnest((select @kinds::integer[]), (select @by::bytea[])) with ordinality as s (kind, by, number)
        cross join lateral (
            select id, api_key_hash as value from organizations where s.kind = 0 and api_key_hash = s.by
            union all
            select id, webhook_token_hash from organizations where s.kind = 1 and webhook_token_hash = s.by
            union all
            select o.id, o.callback_secret
            from calls c
            join organizations o on o.id = c.organization_id
            where s.kind = 2 and c.id = encode(s.by, 'hex')::uuid
        ) f
        """;
}
