using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CallOrchestration.Simulator.Host;

/// <summary>The answer to one request to <c>/api</c>, whatever it was.</summary>
internal sealed record ApiReply(string Request, HttpStatusCode HttpStatus, bool Replayed, string Body)
{
    internal static readonly JsonSerializerOptions SnakeCase = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
    };

    /// <summary>The body as <typeparamref name="T"/>; fails the scenario with the host's own words where it is an error.</summary>
    public T As<T>(HttpStatusCode expected)
    {
        if (HttpStatus != expected)
        {
            throw new ScenarioFailed($"{Request} answers {(int)expected}", ErrorAnswer.Describe(HttpStatus, Body));
        }

        try
        {
            return JsonSerializer.Deserialize<T>(Body, SnakeCase)!;
        }
        catch (JsonException unreadable)
        {
            throw new ScenarioFailed($"{Request} answers with the fields of the contract", unreadable.Message);
        }
    }

    /// <summary>Reads one entry list of a row's history, which has the same fields as the API's.</summary>
    public static IReadOnlyList<HistoryEntry> History(string json) => JsonSerializer.Deserialize<List<HistoryEntry>>(json, SnakeCase)!;
}

/// <summary>The routes of <c>/api</c> that the scenarios use. Nothing here is tried twice.</summary>
internal sealed class HostApi(HttpClient http, string key)
{
    public Task<ApiReply> Create(string route, object body, string? idempotencyKey, CancellationToken cancellation) =>
        Send(HttpMethod.Post, route, body, "application/json", idempotencyKey, cancellation);

    public Task<ApiReply> Patch(Guid id, object body, CancellationToken cancellation) =>
        Send(HttpMethod.Patch, $"api/calls/{id}", body, "application/merge-patch+json", null, cancellation);

    public async Task<CallView> Get(Guid id, CancellationToken cancellation) =>
        (await Send(HttpMethod.Get, $"api/calls/{id}", null, null, null, cancellation)).As<CallView>(HttpStatusCode.OK);

    public async Task<bool> Knows(Guid id, CancellationToken cancellation) =>
        (await Send(HttpMethod.Get, $"api/calls/{id}", null, null, null, cancellation)).HttpStatus == HttpStatusCode.OK;

    public async Task<CallPage> List(string filter, CancellationToken cancellation) =>
        (await Send(HttpMethod.Get, $"api/calls?{filter}", null, null, null, cancellation)).As<CallPage>(HttpStatusCode.OK);

    /// <summary>Who places the host's calls, as it says itself; null where it does not say.</summary>
    public async Task<string?> Dialler(CancellationToken cancellation)
    {
        var ready = await Send(HttpMethod.Get, "health/ready", null, null, null, cancellation);
        try
        {
            return ready.HttpStatus == HttpStatusCode.OK && JsonNode.Parse(ready.Body) is JsonObject state ? (string?)state["dialer"] : null;
        }
        catch (JsonException)
        {
            // Something else listens there; the other questions find that out.
            return null;
        }
    }

    public Task<ApiReply> Summary(CancellationToken cancellation) =>
        Send(HttpMethod.Get, "api/calls/summary", null, null, null, cancellation);

    private async Task<ApiReply> Send(
        HttpMethod method, string route, object? body, string? mediaType, string? idempotencyKey, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, route);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        if (body is not null)
        {
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, mediaType!);
        }

        using var response = await http.SendAsync(request, cancellation);
        return new(
            $"{method} /{route}",
            response.StatusCode,
            response.Headers.TryGetValues("Idempotency-Replayed", out var replayed) && replayed.Contains("true"),
            await response.Content.ReadAsStringAsync(cancellation));
    }
}
