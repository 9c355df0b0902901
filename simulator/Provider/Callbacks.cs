using System.Net;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>Sends callbacks, each with its line in the ledger first, and tries a failed one twice more.</summary>
internal sealed class Callbacks(ExotelOptions options, Ledger ledger, Errands errands, HttpClient http)
{
    // Documented: up to two more tries. How far apart is not; half a minute is about what clients report.
    private const int Tries = 3;
    private const double SecondsBetweenTries = 30;

    /// <summary>
    /// Ends after the first try, so that a call's callbacks leave in their order while the later tries of one may come behind the next,
    /// as they do in life.
    /// </summary>
    public async Task Tell(ProviderCall call, string @event, Payload payload, CancellationToken stop)
    {
        if (call.Asked.StatusCallback is not { } url) return;

        var delivery = Delivery.Of(call, @event, payload);
        if (await Try(delivery, 1, () => ExotelRequest.To(url.AbsoluteUri, payload, call.Asked.Wire), stop)) return;

        _ = errands.Run(async later =>
        {
            for (var attempt = 2; attempt <= Tries; attempt++)
            {
                await Task.Delay(TimeSpan.FromSeconds(SecondsBetweenTries / options.Speed), options.Time, later);
                if (await Try(delivery, attempt, () => ExotelRequest.To(url.AbsoluteUri, payload, call.Asked.Wire), later)) return;
            }
        });
    }

    /// <summary>Half of the body, and then all of it in a content type nobody asked for; neither is tried again.</summary>
    public async Task TellSpoilt(ProviderCall call, string @event, Payload payload, CancellationToken stop)
    {
        if (call.Asked.StatusCallback is not { } url) return;

        var half = await Half(ExotelRequest.To(url.AbsoluteUri, payload, call.Asked.Wire), stop);
        await Try(Delivery.Of(call, @event, payload), 1, () => half, stop);
        await Try(Delivery.Of(call, @event, payload), 1, () => ExotelRequest.To(url.AbsoluteUri, payload, Wire.UrlEncoded), stop);
    }

    /// <summary>The flow of an answered call reaches its Passthru applet. The caller waits on the line, so it is asked once.</summary>
    public async Task AskTheFlow(ProviderCall call, CancellationToken stop)
    {
        if (options.VoiceUrl is not { } url || call.Legs > 1) return;

        var payload = ExotelPayloads.OwnCallPassesAnApplet(call.Line, null)
            .With(call.Asked.CustomField is { } text ? [("CustomField", text)] : []);
        await Try(Delivery.Of(call, "passthru", payload), 1, () => ExotelRequest.To(url.AbsoluteUri, payload, Wire.Query), stop);
    }

    private async Task<bool> Try(Delivery delivery, int attempt, Func<HttpRequestMessage> request, CancellationToken stop)
    {
        ledger.Write(delivery.Sent(attempt));
        var (status, wrong) = await Send(request(), stop);
        ledger.Write(delivery.Answered(attempt, status, wrong));
        options.Say(delivery.Line(attempt, status is null ? wrong! : $"{(int)status}"));
        return status is >= HttpStatusCode.OK and < HttpStatusCode.Ambiguous;
    }

    private async Task<(HttpStatusCode? Status, string? Wrong)> Send(HttpRequestMessage request, CancellationToken stop)
    {
        using var sent = request;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(options.WebhookTimeout);
        try
        {
            using var response = await http.SendAsync(request, limit.Token);
            return (response.StatusCode, null);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return (null, "no answer in time");
        }
        catch (HttpRequestException unreachable)
        {
            return (null, $"not delivered ({unreachable.HttpRequestError})");
        }
    }

    private static async Task<HttpRequestMessage> Half(HttpRequestMessage request, CancellationToken stop)
    {
        var whole = request.Content!;
        var bytes = await whole.ReadAsByteArrayAsync(stop);
        request.Content = new ByteArrayContent(bytes, 0, bytes.Length / 2) { Headers = { ContentType = whole.Headers.ContentType } };
        return request;
    }
}
