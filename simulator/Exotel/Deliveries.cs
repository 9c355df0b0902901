using System.Net;
using System.Text.Json;

namespace CallOrchestration.Simulator.Exotel;

/// <summary>What the host answered to one webhook. <c>Applied</c> is null where the route does not say.</summary>
internal sealed record WebhookReply(HttpStatusCode HttpStatus, string Body, Guid? CallId, string? Status, bool? Applied);

/// <summary>Sends webhooks as the provider does, and counts them.</summary>
internal sealed class Deliveries(HttpClient http, string token)
{
    // Exotel is documented to try a failed delivery twice more. Its pause is minutes; nobody wants to watch that.
    private const int MoreTries = 2;
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(500);

    private int _sent;

    public int Sent => _sent;

    public Task<WebhookReply> Applet(Payload payload, Wire wire, CancellationToken cancellation) =>
        Deliver("webhooks/inbound", payload, wire, cancellation);

    public Task<WebhookReply> StatusCallback(Payload payload, Wire wire, CancellationToken cancellation) =>
        Deliver("webhooks/provider-event", payload, wire, cancellation);

    /// <summary>One delivery with somebody else's token, never repeated.</summary>
    public Task<WebhookReply> StatusCallbackWithWrongToken(Payload payload, Wire wire, CancellationToken cancellation) =>
        Send("webhooks/provider-event?token=not-the-token", payload, wire, cancellation);

    /// <summary>A request that is about no call: 400 where the token is right, 401 where it is not. Nothing is stored either way.</summary>
    public Task<WebhookReply> AboutNoCall(CancellationToken cancellation) =>
        Send(Address("webhooks/inbound"), new Payload(("CallType", "call-attempt")), Wire.Query, cancellation);

    private async Task<WebhookReply> Deliver(string route, Payload payload, Wire wire, CancellationToken cancellation)
    {
        for (var tries = 0; ; tries++)
        {
            var reply = await Send(Address(route), payload, wire, cancellation);
            if (reply.HttpStatus is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.NotFound) || tries == MoreTries)
            {
                return reply;
            }

            await Task.Delay(BetweenTries, cancellation);
        }
    }

    private async Task<WebhookReply> Send(string url, Payload payload, Wire wire, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _sent);
        using var request = ExotelRequest.To(url, payload, wire);
        using var response = await http.SendAsync(request, cancellation);
        return Read(response.StatusCode, await response.Content.ReadAsStringAsync(cancellation));
    }

    private string Address(string route) => $"{route}?token={Uri.EscapeDataString(token)}";

    private static WebhookReply Read(HttpStatusCode status, string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement;
            return new(
                status,
                body,
                root.TryGetProperty("call_id", out var id) && id.TryGetGuid(out var callId) ? callId : null,
                root.TryGetProperty("status", out var word) && word.ValueKind == JsonValueKind.String ? word.GetString() : null,
                root.TryGetProperty("applied", out var applied) ? applied.GetBoolean() : null);
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException)
        {
            // Whatever this is, it is no answer of the contract; the check on the status code will show it.
            return new(status, body, null, null, null);
        }
    }
}
