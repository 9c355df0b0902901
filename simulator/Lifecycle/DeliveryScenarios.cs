using System.Net;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>The provider promises neither order nor number: callbacks come again, late, mixed up, or make no sense.</summary>
internal static class DeliveryScenarios
{
    /// <summary>The ending comes three times; only the first is applied.</summary>
    public static async Task Duplicate(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Answers();
        await call.Talks();
        await call.Completes();
        await call.SaysInVain("completed", call.Completion(), status: "COMPLETED");
        await call.SaysInVain("completed", call.Completion(), Wire.Json, "COMPLETED");
    }

    /// <summary>Four copies of the ending arrive in the same moment, and exactly one is applied.</summary>
    public static async Task DuplicatesAtOnce(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Answers(Wire.Json);

        var ending = call.Bare("completed");
        var replies = await Task.WhenAll(
            call.Say("completed", ending, Wire.Multipart),
            call.Say("completed", ending, Wire.Multipart),
            call.Say("completed", ending, Wire.UrlEncoded),
            call.Say("completed", ending, Wire.Json));
        var refused = replies.Where(reply => reply.HttpStatus != HttpStatusCode.OK).Select(reply => $"{(int)reply.HttpStatus}").ToList();
        Stage.Holds(refused.Count == 0, "200 for every copy", string.Join(", ", refused));
        var applied = replies.Count(reply => reply.Applied == true);
        Stage.Holds(applied == 1, "one copy of four applied", $"{applied}");
    }

    /// <summary>The end overtakes the answer: the late <c>answered</c> brings nothing back to life.</summary>
    public static async Task Reordered(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Rings();
        await call.Completes(Wire.UrlEncoded);
        await call.SaysInVain("answered (late)", ExotelPayloads.Answered(call.Line, leg: 1), status: "COMPLETED");
    }

    /// <summary>
    /// The first attempt's callbacks come again: while the retry is waiting, and while it is under way. They belong to a dial that is over.
    /// </summary>
    public static async Task StaleCallback(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.RingsOut(call.Bare("no-answer"));
        await call.IsDueAgain();

        var firstRangOut = call.Terminal("no-answer");
        var firstCompleted = call.Bare("completed");
        await call.SaysInVain("no-answer (stale)", firstRangOut);
        await call.SaysInVain("completed (stale)", firstCompleted, Wire.UrlEncoded);

        await call.IsDialledAgain();
        await call.SaysInVain("no-answer (stale)", firstRangOut, status: "IN_PROGRESS");
        await call.SaysInVain("completed (stale)", firstCompleted, Wire.Json, "IN_PROGRESS");

        await call.Answers();
        await call.Talks();
        await call.Completes();
    }

    /// <summary>Two endings that contradict each other: the first stands.</summary>
    public static async Task TwoEndings(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.EndsWith("busy", call.Terminal("busy"));
        await call.SaysInVain("completed", call.Bare("completed"), status: "COMPLETED");
        await call.SaysInVain("no-answer", call.Bare("no-answer"), Wire.Json, "COMPLETED");
    }

    /// <summary>A word that nobody has heard of, and the word "null" where a value should be: taken, kept, and without effect.</summary>
    public static async Task UnknownWordAndNulls(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        await call.Answers();
        var before = await call.Now();

        await call.SaysInVain("wandering", call.Bare("wandering"), status: "IN_PROGRESS");
        await call.SaysInVain("null", call.Bare(null).With(("RecordingUrl", null), ("From", null)), Wire.UrlEncoded, "IN_PROGRESS");
        await call.SaysInVain("null", call.Bare(null).With(("RecordingUrl", null)), Wire.Json, "IN_PROGRESS");

        var after = await call.Now();
        Stage.Holds(Steady(before) == Steady(after), $"nothing changed: {Steady(before)}", $"{Steady(after)}");

        await call.Talks();
        await call.Completes();
        await call.SaysInVain("empty", call.Bare("").With(("RecordingUrl", null), ("ConversationDuration", null)), status: "COMPLETED");
    }

    /// <summary>Whoever does not have the token is refused, and the call does not notice.</summary>
    public static async Task WrongToken(Stage stage)
    {
        var call = await stage.Create();
        await call.IsDialled();
        var before = await call.Now();

        var reply = await stage.Provider.StatusCallbackWithWrongToken(call.Bare("failed"), Wire.Multipart, stage.Cancellation);
        stage.Note("failed (wrong token)");
        Stage.Holds(reply.HttpStatus == HttpStatusCode.Unauthorized, "401 for a wrong token", $"{(int)reply.HttpStatus}");
        var after = await call.Now();
        Stage.Holds(after.Revision == before.Revision, $"revision still {before.Revision}", $"{after.Revision}");

        await call.EndsWith("completed", call.Bare("completed"));
    }

    // What a callback without meaning must leave alone. Its trace in the history moves the revision, so that is not in here.
    private static (string, string?, int, string?, string?, string?, DateTimeOffset?, DateTimeOffset?, string?) Steady(CallView call) =>
        (call.Status, call.Outcome, call.Retries, call.From, call.To, call.ProviderCallId, call.AnsweredAt, call.NextActionAt, call.RecordingUrl);
}
