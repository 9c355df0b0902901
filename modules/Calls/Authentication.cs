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
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder, RequestDatabase database)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    private const string Bearer = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var caller = Scheme.Name switch
        {
            Schemes.ApiKey => await BySecret(ApiKeySql, BearerToken()),
            Schemes.Callback when Request.Query.ContainsKey("signature") => await BySignature(),
            _ => await BySecret(WebhookTokenSql, Request.Query["token"]),
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

    private async Task<Caller?> BySecret(string sql, string? secret)
    {
        if (string.IsNullOrEmpty(secret)) return null;
        var hash = Organizations.Hash(secret);
        await using var connection = await database.OpenConnection(Context.RequestAborted);
        var (id, stored) = await connection.QuerySingleOrDefaultAsync<(Guid Id, byte[]? Hash)>(sql, new { hash });
        return stored is not null && CryptographicOperations.FixedTimeEquals(stored, hash) ? new(id) : null;
    }

    // Whatever is wrong, the answer is the same: no hint which part it was.
    private async Task<Caller?> BySignature()
    {
        if (!Guid.TryParse(Request.Query["call"], out var call)
            || !int.TryParse(Request.Query["attempt"], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt))
        {
            return null;
        }

        await using var connection = await database.OpenConnection(Context.RequestAborted);
        var (id, secret) = await connection.QuerySingleOrDefaultAsync<(Guid Id, byte[]? Secret)>(CallbackSecretSql, new { call });
        if (secret is null) return null;
        var expected = Encoding.ASCII.GetBytes(CallbackSignature.Of(secret, id, call, attempt));
        var sent = Encoding.UTF8.GetBytes(Request.Query["signature"].ToString());
        return CryptographicOperations.FixedTimeEquals(expected, sent) ? new(id, call, attempt) : null;
    }

    private const string ApiKeySql =
        """
        select id, api_key_hash
        from organizations
        where api_key_hash = @hash
        """;

    private const string WebhookTokenSql =
        """
        select id, webhook_token_hash
        from organizations
        where webhook_token_hash = @hash
        """;

    private const string CallbackSecretSql =
        """
        select o.id, o.callback_secret
        from calls c
        join organizations o on o.id = c.organization_id
        where c.id = @call
        """;
}
