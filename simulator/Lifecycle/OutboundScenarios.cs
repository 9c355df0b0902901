using System.Net;
using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>We call somebody.</summary>
internal static class OutboundScenarios
{
    /// <summary>Both legs pick up, so <c>answered</c> comes twice; they talk and hang up.</summary>
    public static async Task Answered(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Rings();
        await call.Answers();
        await call.SecondLegAnswers();
        await call.Talks();
        await call.Completes();
    }

    /// <summary>Nobody picks up the first time; the one retry is answered.</summary>
    public static async Task NoAnswerThenAnswered(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Rings();
        await call.RingsOut(call.Bare("no-answer"));
        await call.IsDueAgain();
        await call.IsDialledAgain();
        await call.Rings();
        await call.Answers(Wire.UrlEncoded);
        await call.Talks();
        await call.Completes(Wire.Json);
    }

    /// <summary>Nobody picks up the second time either, and that is the end.</summary>
    public static async Task NoAnswerTwice(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Rings();
        await call.RingsOut(call.Terminal("no-answer"));
        await call.IsDueAgain();
        await call.IsDialledAgain();
        await call.Rings();
        await call.EndsWith("no-answer", call.Bare("no-answer"));
    }

    /// <summary>The retry finds the line busy: busy is never tried again.</summary>
    public static async Task NoAnswerThenBusy(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.RingsOut(call.Bare("no-answer"), Wire.UrlEncoded);
        await call.IsDueAgain();
        await call.IsDialledAgain();
        await call.EndsWith("busy", call.Terminal("busy"));
    }

    public static async Task Busy(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.EndsWith("busy", call.Bare("busy"));
    }

    public static async Task Failed(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.EndsWith("failed", call.Terminal("failed"), Wire.UrlEncoded);
    }

    /// <summary>The provider takes the call back while it rings.</summary>
    public static async Task CanceledByProvider(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Rings();
        await call.EndsWith("canceled", call.Bare("canceled"), Wire.Json);
    }

    /// <summary>
    /// Our own call passes applets of its flow, once with our reference and once with nothing but the CallSid. Both times the host must
    /// know it for its own, and make no inbound call of it.
    /// </summary>
    public static async Task PassesAnApplet(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Answers();
        await call.PassesAnApplet(withCustomField: true);
        await call.PassesAnApplet(withCustomField: false);

        var inbound = await stage.Host.List($"direction=INBOUND&from={WebUtility.UrlEncode(call.Customer)}", stage.Cancellation);
        Stage.Holds(inbound.Items.Count == 0, "no inbound call was made of it", $"{inbound.Items.Count} inbound calls");

        await call.Talks();
        await call.Completes();
    }
}
