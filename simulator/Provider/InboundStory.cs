using System.Net;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>One inbound call, step by step, as the applets of a flow ask about it.</summary>
internal sealed class InboundStory(string from, string to, string ending, double speed, Action<string> say)
{
    public static readonly IReadOnlyList<string> Endings = ["completed", "incomplete", "client-hangup", "voicemail", "stream"];

    // The caller waits on the line while an applet asks; Exotel waits no longer either.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private const string Agent = "+919800000009";
    private const int RingSeconds = 5;
    private const int TalkSeconds = 20;

    private readonly Line _line = new(Line.NewCallSid(), from, to, DateTimeOffset.UtcNow);

    public string CallSid => _line.CallSid;

    /// <returns>Whether every step was answered with exactly 200: a redirect would take the flow's other branch.</returns>
    public async Task<bool> Play(Uri url, string token, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketFailures(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = !url.IsLoopback }))
        {
            BaseAddress = new Uri(url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/"),
            Timeout = Patience,
        };
        var provider = new Deliveries(http, token);
        say($"{PhoneNumber.Shortened(from)} calls {PhoneNumber.Shortened(to)}, CallSid {_line.CallSid}");

        var allTaken = true;
        foreach (var (name, seconds, payload) in Steps())
        {
            await Task.Delay(TimeSpan.FromSeconds(seconds / speed), cancellation);
            var reply = await provider.Applet(payload(), Wire.Query, cancellation);
            say($"  {name,-20} → {(int)reply.HttpStatus} {reply.Body.ReplaceLineEndings(" ").Trim()}");
            allTaken &= reply.HttpStatus == HttpStatusCode.OK;
        }

        return allTaken;
    }

    /// <summary>Each step, the seconds of life before it, and what is sent: built when it is sent, because it says what time it is.</summary>
    public (string Name, int Seconds, Func<Payload> Payload)[] Steps() => ending switch
    {
        "completed" =>
        [
            Begins,
            AgentRings,
            ("completed", RingSeconds + TalkSeconds, () => ExotelPayloads.ConversationOver(_line, Agent, TalkSeconds, RingSeconds, Recording)),
        ],
        "incomplete" => [Begins, AgentRings, ("incomplete", 30, () => ExotelPayloads.NobodyPickedUp(_line, Agent))],
        "client-hangup" => [Begins, ("client-hangup", RingSeconds, () => ExotelPayloads.CallerGaveUp(_line))],
        "voicemail" => [Begins, ("voicemail", TalkSeconds, () => ExotelPayloads.Voicemail(_line, Recording))],
        "stream" =>
        [
            ("voicebot asks", 0, () => ExotelPayloads.VoicebotAsks(_line)),
            ("caller hung up on it", TalkSeconds, () => ExotelPayloads.StreamOver(_line, "user", TalkSeconds, Recording)),
        ],
        _ => throw new ArgumentOutOfRangeException(nameof(ending)),
    };

    private (string, int, Func<Payload>) Begins => ("call-attempt", 0, () => ExotelPayloads.CallAttempt(_line));

    private (string, int, Func<Payload>) AgentRings => ("agent rings", 1, () => ExotelPayloads.AgentRings(_line, Agent));

    private string Recording => $"https://recordings.example.com/{_line.CallSid}.mp3";
}
