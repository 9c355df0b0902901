using System.Globalization;
using System.Net;
using System.Threading.RateLimiting;

namespace CallOrchestration.Outbound;

/// <summary>
/// Places calls through Exotel: <c>POST /v1/Accounts/{sid}/Calls/connect.json</c> (Exotel, "Outgoing call to connect number to a call flow").
/// The request leaves once: there is no idempotency key, so nothing on this path may repeat it.
/// </summary>
internal sealed class ExotelDialer(ExotelSettings settings, ExotelClient exotel, DialPause pause, TimeProvider time) : IDialer
{
    // Exotel's "TRAI NDNC": the number is on the register of those who want no such calls.
    private const string DoNotDisturb = "NDNC";

    private const string WrongAccount = "401: the account's key or token is wrong";

    // Where a 429 names no time: its limit counts by the minute.
    private static readonly TimeSpan WaitWhenThrottled = TimeSpan.FromMinutes(1);

    public int Room => Math.Min(exotel.Room, pause.Room);

    public bool KeepsRecord => true;

    public async Task<DialResult> Dial(DialRequest request, CancellationToken cancellation)
    {
        try
        {
            var result = await Connect(request, cancellation);
            switch (result)
            {
                case DialResult.NotSent notSent when notSent == DialResult.NotSent.TooLate: break;
                case DialResult.NotSent notSent: pause.Fails(notSent.Reason, notSent.RetryAfter); break;
                case DialResult.Unknown unknown: pause.Fails(unknown.Reason, null); break;
                case DialResult.Refused { Reason: WrongAccount } refused: pause.Fails(refused.Reason, null); break;
                default: pause.Works(); break;
            }

            return result;
        }
        catch (OperationCanceledException)
        {
            pause.Fails("timeout", null);
            throw;
        }
    }

    private async Task<DialResult> Connect(DialRequest request, CancellationToken cancellation)
    {
        using var lease = exotel.Acquire();
        if (!lease.IsAcquired)
            return new DialResult.NotSent("429: our own limit of requests", lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : WaitWhenThrottled);

        ExotelAnswer answer;
        using var form = new LastMoment(Fields(request), request.MayLeave);
        try
        {
            answer = await exotel.Send(HttpMethod.Post, "Calls/connect.json", form, cancellation);
        }
        catch (Exception) when (form.WasTooLate)
        {
            return DialResult.NotSent.TooLate;
        }
        catch (HttpRequestException error) when (error.HttpRequestError
            is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            // There was no connection, so nothing has left.
            return new DialResult.NotSent($"no connection ({error.HttpRequestError})");
        }
        catch (HttpRequestException error)
        {
            return new DialResult.Unknown($"the connection broke ({error.HttpRequestError})");
        }

        return Understand(answer, time.GetUtcNow());
    }

    public Task<LookUpResult> LookUp(LookUpRequest request, CancellationToken cancellation) => new ExotelLookUp(exotel).Run(request, cancellation);

    /// <summary>What an answer means for the phone of the customer.</summary>
    internal static DialResult Understand(ExotelAnswer answer, DateTimeOffset now)
    {
        var message = answer.Text("RestException", "Message");
        var reason = $"{(int)answer.Status}{(message is null ? "" : $": {message}")}";
        return (int)answer.Status switch
        {
            200 when message is null && answer.Text("Call", "Sid") is { Length: > 0 } sid => new DialResult.Accepted(sid),
            200 => new DialResult.Unknown($"an answer that is not understood ({reason})"),
            429 => new DialResult.NotSent(reason, answer.RetryAfter(now) is { } wait && wait > TimeSpan.Zero ? wait : WaitWhenThrottled),
            403 when message?.Contains(DoNotDisturb, StringComparison.OrdinalIgnoreCase) == true => new DialResult.Refused("do-not-disturb (403)"),
            401 => new DialResult.Refused(WrongAccount),
            >= 400 and < 500 => new DialResult.Refused(reason),
            _ => new DialResult.Unknown(reason),
        };
    }

    private IEnumerable<KeyValuePair<string, string>> Fields(DialRequest request)
    {
        var connect = request.Connect ?? settings.Connect;
        yield return new("From", request.To);
        yield return new("CallerId", AsExotelWrites(settings.CallerId ?? request.ExoPhone));
        if (connect.FlowUrl is not null) yield return new("Url", connect.FlowUrl);
        if (connect.Number is not null) yield return new("To", connect.Number);
        if (connect.StreamUrl is not null)
        {
            yield return new("StreamUrl", connect.StreamUrl);
            yield return new("StreamType", "bidirectional");
        }

        yield return new("CallType", "trans");
        yield return new("CustomField", request.CallId.ToString());
        yield return new("StatusCallback", Callback(request));
        yield return new("StatusCallbackEvents[0]", "terminal");
        yield return new("StatusCallbackEvents[1]", "answered");
    }

    private string Callback(DialRequest request) => string.Create(
        CultureInfo.InvariantCulture,
        $"{settings.PublicUrl.AbsoluteUri.TrimEnd('/')}/webhooks/provider-event?call={request.CallId}&attempt={request.Attempt}&signature={request.Signature}");

    // An ExoPhone has a leading 0 in Exotel's own examples; customers' numbers go out as E.164, which it asks for.
    private static string AsExotelWrites(string exoPhone) =>
        exoPhone.StartsWith("+91", StringComparison.Ordinal) && exoPhone.Length == 13 ? "0" + exoPhone[3..] : exoPhone;

    // The body is asked for when there is a connection, and the headers wait for it: nothing has left yet.
    private sealed class LastMoment(IEnumerable<KeyValuePair<string, string>> fields, Func<bool> mayLeave) : FormUrlEncodedContent(fields)
    {
        public bool WasTooLate { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            WasTooLate = !mayLeave();
            return WasTooLate
                ? throw new InvalidOperationException("The dial is too late to leave.")
                : base.SerializeToStreamAsync(stream, context, cancellationToken);
        }
    }
}
