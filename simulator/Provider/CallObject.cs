using System.Globalization;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>A call as the API shows it: <c>Call</c> of connect, details and list. Numbers are strings, times Indian.</summary>
internal sealed class CallObject(ExotelOptions options)
{
    // Duration, price and end are known about two minutes after the call (documented); until then they are null.
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(2);

    private const decimal PricePerMinute = 0.5m;

    public JsonObject Of(ProviderCall call, CallState state)
    {
        var settled = state.Ended + (Settling / options.Speed) <= options.Time.GetUtcNow();
        return new()
        {
            ["Sid"] = call.Sid,
            ["ParentCallSid"] = null,
            ["DateCreated"] = Line.Clock(call.Created),
            ["DateUpdated"] = Line.Clock(state.Updated),
            ["AccountSid"] = options.Account,
            ["To"] = Line.Domestic(call.To),
            ["From"] = Line.Domestic(call.Asked.From),
            ["PhoneNumberSid"] = Line.Domestic(call.Asked.CallerId),
            ["Status"] = state.Status,
            ["StartTime"] = Line.Clock(call.Created),
            ["EndTime"] = settled ? Line.Clock(state.Ended!.Value) : null,
            ["Duration"] = settled ? state.FirstLegSeconds.ToString(CultureInfo.InvariantCulture) : null,
            ["Price"] = settled ? Price(state.FirstLegSeconds) : null,
            ["Direction"] = "outbound-api",
            ["AnsweredBy"] = null,
            ["ForwardedFrom"] = null,
            ["CallerName"] = null,
            ["Uri"] = $"/v1/Accounts/{options.Account}/Calls.json/{call.Sid}",
            ["RecordingUrl"] = call.RecordingUrl,
        };
    }

    public JsonObject WithDetails(ProviderCall call, CallState state)
    {
        var json = Of(call, state);
        json["Details"] = new JsonObject
        {
            ["ConversationDuration"] = state.TalkSeconds,
            ["Leg1Status"] = state.Status,
            ["Leg2Status"] = call.Legs > 1 && state.TalkSeconds > 0 ? state.Status : null,
            ["Legs"] = new JsonArray([.. Enumerable.Range(1, call.Legs).Select(leg => new JsonObject
            {
                ["Leg"] = new JsonObject { ["Id"] = leg, ["OnCallDuration"] = leg == 1 ? state.FirstLegSeconds : state.TalkSeconds },
            })]),
        };
        return json;
    }

    private static string Price(int seconds) =>
        (PricePerMinute * ((seconds + 59) / 60)).ToString("0.000", CultureInfo.InvariantCulture);
}
