using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using System.Xml;
using System.Xml.Linq;

namespace CallOrchestration.Outbound;

/// <summary>One account of Exotel's API over HTTP, within its limit of requests a minute, which dials and look-ups share.</summary>
internal sealed class ExotelClient : IDisposable
{
    // Look-ups leave this part of the limit for dials, which somebody waits for.
    private const int KeptForDials = 4;

    private const int AnswerBytes = 1024 * 1024;

    private readonly HttpClient http;
    private readonly string account;
    private readonly int requestsPerMinute;
    private readonly SlidingWindowRateLimiter limit;

    public ExotelClient(ExotelSettings settings)
    {
        requestsPerMinute = settings.RequestsPerMinute;
        limit = new(new()
        {
            PermitLimit = requestsPerMinute,
            Window = TimeSpan.FromMinutes(1),
            SegmentsPerWindow = 12,
            QueueLimit = 0,
        });
        account = $"/v1/Accounts/{Uri.EscapeDataString(settings.AccountSid)}/";
        // No connection is used twice: where a kept one breaks under a request, the framework decides for itself whether to send it
        // again, and here nothing but the caller may. No redirect is followed, for it would be a second request too.
        http = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectTimeout = TimeSpan.FromSeconds(3),
        })
        {
            BaseAddress = settings.BaseUrl,
            MaxResponseContentBufferSize = AnswerBytes,
            // Each request brings a token with its limit.
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestHeaders =
            {
                Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{settings.ApiKey}:{settings.ApiToken}"))),
                Accept = { new MediaTypeWithQualityHeaderValue("application/json") },
            },
        };
    }

    /// <summary>How many requests the limit still allows.</summary>
    public int Room => (int)limit.GetStatistics()!.CurrentAvailablePermits;

    /// <summary>Takes one request out of the limit; the lease says whether there was one.</summary>
    public RateLimitLease Acquire() => limit.AttemptAcquire();

    /// <summary>The same for a look-up, which yields to dials.</summary>
    public bool AcquireForLookUp()
    {
        if (Room <= requestsPerMinute / KeptForDials) return false;
        using var lease = limit.AttemptAcquire();
        return lease.IsAcquired;
    }

    /// <summary>Sends one request, once.</summary>
    public async Task<ExotelAnswer> Send(HttpMethod method, string path, HttpContent? form, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, account + path) { Content = form };
        // The body apart from the headers: with the headers the provider has told that it has the request, and nothing more is known yet.
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        await Failpoint.Hit(Failpoint.AfterSend);
        return new(response.StatusCode, response.Headers.RetryAfter, ExotelAnswer.Parse(await response.Content.ReadAsStringAsync(cancellation)));
    }

    public void Dispose()
    {
        http.Dispose();
        limit.Dispose();
    }
}

/// <summary>An answer of the API, JSON or XML; an unreadable body is none.</summary>
internal sealed record ExotelAnswer(HttpStatusCode Status, RetryConditionHeaderValue? Retry, JsonNode? Body)
{
    /// <summary>How long the provider asks to wait.</summary>
    public TimeSpan? RetryAfter(DateTimeOffset now) => Retry?.Delta ?? (Retry?.Date - now);

    /// <summary>The text at a path; null where it is not there, or no text or number.</summary>
    public string? Text(params string[] path) => Text(Body, path);

    public static string? Text(JsonNode? node, params string[] path)
    {
        foreach (var name in path) node = (node as JsonObject)?[name];
        return node is JsonValue value && value.GetValueKind() is JsonValueKind.String or JsonValueKind.Number ? value.ToString() : null;
    }

    public static JsonNode? Parse(string body)
    {
        try
        {
            return body.TrimStart().StartsWith('<') ? FromXml(XDocument.Parse(body).Root!) : JsonNode.Parse(body);
        }
        catch (Exception error) when (error is JsonException or XmlException)
        {
            return null;
        }
    }

    // The XML has the same tree below its root element, with text where the JSON has strings and numbers.
    private static JsonNode? FromXml(XElement element) => element.HasElements
        ? new JsonObject(element.Elements().DistinctBy(child => child.Name.LocalName).Select(child => KeyValuePair.Create(child.Name.LocalName, FromXml(child))))
        : JsonValue.Create(element.Value.Trim());
}
