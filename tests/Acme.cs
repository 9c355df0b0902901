using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace CallOrchestration.Tests;

/// <summary>An organization of a test, with the verbs of the API and of the provider. Every answer comes with its status and headers.</summary>
public sealed class Acme(TestHost host, NewOrganization organization)
{
    public const string Phone = "+918047110000";
    public const string Customer = "+919900000001";

    public Guid Id => organization.Id;

    public string ApiKey => organization.ApiKey;

    public string WebhookToken => organization.WebhookToken;

    /// <summary>The same organization, through another host on the same database.</summary>
    public Acme Through(TestHost other) => new(other, organization);

    public Task<Answer> Get(string path) => Send(HttpMethod.Get, path);

    public Task<Answer> Post(string path, object body, params (string Name, string Value)[] headers) => Send(HttpMethod.Post, path, Json(body), headers);

    public Task<Answer> Patch(Guid id, object body, params (string Name, string Value)[] headers) =>
        Send(HttpMethod.Patch, $"/api/calls/{id}", Json(body, "application/merge-patch+json"), headers);

    public Task<Answer> Read(Guid id) => Get($"/api/calls/{id}");

    /// <summary>Creates a call that is due now, or at a time; its id.</summary>
    public async Task<Guid> CreateOutbound(string to = Customer, DateTimeOffset? at = null, string from = Phone)
    {
        var answer = await Post("/api/calls/outbound", at is null ? new { from, to } : new { from, to, next_action_at = at.Value.ToString("O") });
        answer.Status.ShouldBe(HttpStatusCode.Created, answer.Text);
        return answer.Id;
    }

    /// <summary>Creates a call that is due now and lets the scheduler dial it; its id, and the provider's for it.</summary>
    public async Task<(Guid Id, string? Sid)> Dialled(string to = Customer)
    {
        var id = await CreateOutbound(to);
        await host.Trigger();
        return (id, (string?)(await Read(id)).Body["provider_call_id"]);
    }

    /// <summary>A status callback, urlencoded.</summary>
    public Task<Answer> Event(params (string Name, string Value)[] fields) => Event("", fields);

    /// <summary>A status callback, urlencoded, with more in the query than the token.</summary>
    public Task<Answer> Event(string query, params (string Name, string Value)[] fields) =>
        Send(HttpMethod.Post, $"/webhooks/provider-event?token={WebhookToken}{query}", Form(fields));

    /// <summary>A request of an applet: GET, as Exotel sends it.</summary>
    public Task<Answer> Passthru(params (string Name, string Value)[] fields) =>
        Send(HttpMethod.Get, $"/webhooks/inbound?token={WebhookToken}&" + Form(fields).ReadAsStringAsync().Result);

    public Task<Answer> Webhook(HttpMethod method, string path, HttpContent? body = null) =>
        Send(method, $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}token={WebhookToken}", body);

    /// <summary>A webhook's fields in one of the ways in which Exotel sends them.</summary>
    public Task<Answer> Send(Wire wire, string path, IReadOnlyList<(string Name, string Value)> fields) => wire switch
    {
        Wire.Get => Webhook(HttpMethod.Get, $"{path}?{Form([.. fields]).ReadAsStringAsync().Result}"),
        Wire.Urlencoded => Webhook(HttpMethod.Post, path, Form([.. fields])),
        Wire.Json => Webhook(HttpMethod.Post, path, Json(fields.ToDictionary(field => field.Name, field => field.Value))),
        _ => throw new ArgumentOutOfRangeException(nameof(wire)),
    };

    public async Task<Answer> Send(HttpMethod method, string path, HttpContent? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(host.Url, path)) { Content = body };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", ApiKey);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await Http.Send(request);
    }

    public static StringContent Json(object body, string type = "application/json") =>
        new(body as string ?? System.Text.Json.JsonSerializer.Serialize(body), Encoding.UTF8, type);

    public static FormUrlEncodedContent Form(params (string Name, string Value)[] fields) =>
        new(fields.Select(field => KeyValuePair.Create(field.Name, field.Value)));
}

/// <summary>How a webhook's fields travel.</summary>
public enum Wire
{
    Get,
    Urlencoded,
    Multipart,
    Json,
}

/// <summary>An answer of the host, read to its end.</summary>
public sealed record Answer(HttpStatusCode Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, string Text)
{
    public JsonNode Body => JsonNode.Parse(Text)!;

    /// <summary>The call that the answer is about.</summary>
    public Guid Id => (Guid)(Body["id"] ?? Body["call_id"])!;

    public string? CallStatus => (string?)Body["status"];

    public string? Outcome => (string?)Body["outcome"];

    public int Retries => (int)Body["retries"]!;

    public bool Applied => (bool)Body["applied"]!;

    /// <summary>The events of the history, in order.</summary>
    public IReadOnlyList<string> Events => [.. Body["history"]!.AsArray().Select(entry => (string)entry!["event"]!)];

    /// <summary>The names of the fields that are wrong.</summary>
    public IReadOnlyList<string> WrongFields => [.. (Body["errors"]?.AsObject() ?? []).Select(error => error.Key)];

    public string? ContentType => ContentHeaders.ContentType?.MediaType;

    /// <summary>Asserts a problem of this status.</summary>
    public Answer ShouldBeProblem(HttpStatusCode status, params string[] wrongFields)
    {
        Status.ShouldBe(status, Text);
        ContentType.ShouldBe("application/problem+json");
        ((int)Body["status"]!).ShouldBe((int)status);
        WrongFields.ShouldBe(wrongFields, ignoreOrder: true);
        return this;
    }

    /// <summary>Asserts success.</summary>
    public Answer ShouldBeOk()
    {
        Status.ShouldBe(HttpStatusCode.OK, Text);
        return this;
    }
}

/// <summary>One HTTP client for all tests; redirects are not followed, since the provider would not either.</summary>
public static class Http
{
    private static readonly HttpClient Client = new(new SocketsHttpHandler { AllowAutoRedirect = false, MaxConnectionsPerServer = 64 })
    {
        Timeout = TimeSpan.FromSeconds(60),
    };

    public static async Task<Answer> Send(HttpRequestMessage request)
    {
        using var response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new(response.StatusCode, response.Headers, response.Content.Headers, text);
    }
}
