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

        if (options.CopiesOf is { } copies) await Deal(call, @event, payload, url, copies(call, @event), stop);
        else await Send(Delivery.Of(call, @event, payload), () => ExotelRequest.To(url.AbsoluteUri, payload, call.Asked.Wire), stop);
    }

    // Copies without a delay leave here and in the call's order, all at the same moment; the others come when they come.
    private async Task Deal(ProviderCall call, string @event, Payload payload, Uri url, IReadOnlyList<Copy> copies, CancellationToken stop)
    {
        var now = new List<Task>();
        foreach (var copy in copies)
        {
            var delivery = Delivery.Of(call, @event, payload) with { Mishap = Mishap(copy) };
            var fields = copy.UnheardOf ? payload.Fields.Select(field => field.Key == "Status" ? (field.Key, UnheardOf) : field) : payload.Fields;
            var marked = new Payload([("DeliveryId", delivery.Id), .. fields, .. copy.Strange ? Strange : []]);
            if (copy.Delay == TimeSpan.Zero) now.Add(Send(delivery, Request, stop));
            else _ = errands.Run(async later =>
            {
                await Task.Delay(copy.Delay, options.Time, later);
                await Send(delivery, Request, later);
            });

            HttpRequestMessage Request()
            {
                var request = ExotelRequest.To(url.AbsoluteUri, marked, copy.Wire ?? call.Asked.Wire);
                if (copy.Half && request.Content is { } whole) request.Content = Half(whole);
                if (copy.Door is { } door) request.Options.Set(Copy.DoorKey, door);
                return request;
            }
        }

        await Task.WhenAll(now);
    }

    private const string UnheardOf = "rerouted";

    // Nobody documents these, and traffic has them.
    private static readonly (string, object?)[] Strange =
        [("Mood", "cheerful"), ("Legs[0][Weather]", "मौसम"), ("PriceUnit", null), ("AnsweredBy", "null"), ("ForwardedFrom", "\"null\""), ("Flags[0]", "")];

    private static string? Mishap(Copy copy) =>
        copy.Half ? "half" : copy.UnheardOf ? "unheard-of" : copy.Strange ? "strange" : copy.Wire is { } wire ? wire.ToString().ToLowerInvariant() : null;

    // Later tries are errands of their own, so that what comes next does not wait for them.
    private async Task Send(Delivery delivery, Func<HttpRequestMessage> request, CancellationToken stop)
    {
        if (await Try(delivery, 1, request, stop)) return;

        _ = errands.Run(async later =>
        {
            for (var attempt = 2; attempt <= Tries; attempt++)
            {
                await Task.Delay(TimeSpan.FromSeconds(SecondsBetweenTries / options.Speed), options.Time, later);
                if (await Try(delivery, attempt, request, later)) return;
            }
        });
    }

    /// <summary>Half of the body, and then all of it in a content type nobody asked for; neither is tried again.</summary>
    public async Task TellSpoilt(ProviderCall call, string @event, Payload payload, CancellationToken stop)
    {
        if (call.Asked.StatusCallback is not { } url) return;

        var half = ExotelRequest.To(url.AbsoluteUri, payload, call.Asked.Wire);
        half.Content = Half(half.Content!);
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

    private static ByteArrayContent Half(HttpContent whole)
    {
        using var body = new MemoryStream();
        whole.CopyTo(body, null, CancellationToken.None);
        return new(body.GetBuffer(), 0, (int)body.Length / 2) { Headers = { ContentType = whole.Headers.ContentType } };
    }
}
