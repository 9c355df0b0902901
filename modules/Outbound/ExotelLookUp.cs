using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace CallOrchestration.Outbound;

/// <summary>
/// Asks Exotel what became of an attempt: call details by CallSid; where the CallSid was lost, the account's list by time and number
/// (Exotel, "Call details API", "Bulk call details API"). It never guesses: where two calls could be ours, none is.
/// </summary>
internal sealed class ExotelLookUp(ExotelClient exotel)
{
    private static readonly TimeSpan IndiaStandardTime = new(5, 30, 0);

    // Clocks differ, and DateCreated has whole seconds.
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan After = TimeSpan.FromMinutes(2);

    public async Task<LookUpResult> Run(LookUpRequest request, CancellationToken cancellation)
    {
        if (!exotel.AcquireForLookUp()) return new LookUpResult.Later("our own limit of requests");
        try
        {
            return request.ProviderCallId is { } sid
                ? Understand(await exotel.Send(HttpMethod.Get, $"Calls/{Uri.EscapeDataString(sid)}.json?details=true", null, cancellation))
                : await Choose(await exotel.Send(HttpMethod.Get, ListPath(request), null, cancellation), request);
        }
        catch (HttpRequestException error)
        {
            return new LookUpResult.Later($"no answer ({error.HttpRequestError})");
        }
    }

    internal static LookUpResult Understand(ExotelAnswer answer) => answer switch
    {
        { Status: HttpStatusCode.OK, Body: JsonObject body } when body["Call"] is JsonObject call => Told(call),
        { Status: HttpStatusCode.NotFound } => new LookUpResult.Nothing("the provider does not know the call"),
        _ => new LookUpResult.Later($"answered {(int)answer.Status}"),
    };

    /// <summary>
    /// The one call of the list that is ours: by our CustomField; or, where the list shows none, the only one that is left once those that
    /// belong to other calls of ours are taken away. With other calls to this number whose CallSid is lost too, what is left may be theirs.
    /// </summary>
    internal static async Task<LookUpResult> Choose(ExotelAnswer answer, LookUpRequest request)
    {
        if (answer is not { Status: HttpStatusCode.OK, Body: JsonObject body } || body["Calls"] is not JsonArray list)
            return new LookUpResult.Later($"answered {(int)answer.Status}");
        var outbound = list.OfType<JsonObject>().Where(call => IsToNumber(call, request.To)).ToList();
        var named = outbound.Where(call => Guid.TryParse(ExotelAnswer.Text(call, "CustomField"), out var id) && id == request.CallId).ToList();
        if (named.Count == 1) return Told(named[0]);
        // More pages than this one: what is not seen cannot be excluded.
        if (ExotelAnswer.Text(body, "Metadata", "NextPageUri") is not null) return new LookUpResult.Nothing("too many calls to tell which one it was");

        var unnamed = outbound.Where(call => string.IsNullOrEmpty(ExotelAnswer.Text(call, "CustomField")) && ExotelAnswer.Text(call, "Sid") is not null).ToList();
        var taken = await request.SidsOfOthers([.. unnamed.Select(call => ExotelAnswer.Text(call, "Sid")!)]);
        var left = unnamed.Where(call => !taken.Contains(ExotelAnswer.Text(call, "Sid")!)).ToList();
        if (named.Count == 0 && left.Count == 1 && !request.OthersAreLost) return Told(left[0]);
        // The list leaves out calls that are still going on: one that is not there yet may come.
        return left.Count == 0 ? new LookUpResult.Later("the provider lists no such call") : new LookUpResult.Nothing("more than one call could be it");
    }

    private static LookUpResult Told(JsonObject call)
    {
        var status = ExotelAnswer.Text(call, "Status");
        var outcome = ProviderEvent.OutcomeOf(status);
        // It is asked only after the longest ringing: what is in progress then is a conversation.
        var talks = ProviderEvent.Fold(status) == "in-progress";
        if (outcome is null && !talks) return new LookUpResult.Later($"still {status ?? "without a status"}");
        return new LookUpResult.Told(new()
        {
            Word = outcome ?? "answered",
            Kind = outcome is null ? ProviderEventKind.Answered : ProviderEventKind.Ended,
            Outcome = outcome,
            ProviderCallId = ExotelAnswer.Text(call, "Sid"),
            At = ProviderEvent.Time(ExotelAnswer.Text(call, "DateUpdated")),
            StartedAt = ProviderEvent.Time(ExotelAnswer.Text(call, "StartTime")),
            EndedAt = ProviderEvent.Time(ExotelAnswer.Text(call, "EndTime")),
            DurationSeconds = int.TryParse(ExotelAnswer.Text(call, "Details", "ConversationDuration"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? seconds : null,
            RecordingUrl = ExotelAnswer.Text(call, "RecordingUrl") is { Length: > 0 } url ? url : null,
            Details = new JsonObject { ["asked"] = true, ["CallSid"] = ExotelAnswer.Text(call, "Sid"), ["Status"] = status }.ToJsonString(),
        });
    }

    private static bool IsToNumber(JsonObject call, string number) =>
        ExotelAnswer.Text(call, "Direction")?.StartsWith("outbound", StringComparison.OrdinalIgnoreCase) != false
        && ExotelAnswer.Text(call, "From") is { } from && PhoneNumber.Normalize(from) == number;

    private static string ListPath(LookUpRequest request) =>
        $"Calls.json?PageSize=100&From={Uri.EscapeDataString(request.To)}"
        + $"&DateCreated=gte:{Ist(request.StartedAt - Before)};lte:{Ist(request.StartedAt + After)}";

    private static string Ist(DateTime utc) =>
        Uri.EscapeDataString(new DateTimeOffset(utc).ToOffset(IndiaStandardTime).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
}
