using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>One script of the fake Exotel as a scenario: a call to its number, and how that must end.</summary>
internal sealed class ScriptScenario(Script script, int turn, ExotelServer exotel, Func<IReadOnlyList<LedgerEntry>> ledger)
{
    // Far enough apart for the answers to come in this order, and near enough for nobody to wait.
    private static readonly TimeSpan BetweenTurns = TimeSpan.FromMilliseconds(150);

    public Script Script { get; } = script;

    private int Retries { get; } = script.Places && !script.Forgotten && script.EndingOf(1) == "no-answer" ? 1 : 0;

    /// <summary>What the host's history must have made of the answers to its requests.</summary>
    public IReadOnlyList<string> Answers
    {
        get
        {
            string[] once = Script.Connect switch
            {
                ConnectAnswer.Accepted or ConnectAnswer.AfterTheCallbacks => ["dial-accepted"],
                ConnectAnswer.ThrottledOnce => ["dial-throttled", "dial-accepted"],
                ConnectAnswer.DoNotDisturb or ConnectAnswer.BadRequest => ["dial-refused"],
                _ => ["dial-unknown"],
            };
            return Retries == 0 ? once : [.. once, .. once];
        }
    }

    /// <summary>All scripts, in the order of their table.</summary>
    public static IReadOnlyList<ScriptScenario> All(ExotelServer exotel, Func<IReadOnlyList<LedgerEntry>> ledger)
    {
        var turns = Turns(Scripts.All);
        return [.. Scripts.All.Select(script => new ScriptScenario(script, turns.IndexOf(script), exotel, ledger))];
    }

    public Scenario ToScenario()
    {
        var outcome = Script switch
        {
            { Connect: ConnectAnswer.ServerError } or { Forgotten: true } => "unknown",
            { Places: false } => "failed",
            _ => Script.EndingOf(Retries + 1),
        };
        return new($"{Script.Number} {Script.Name}", Ending.Completed(outcome, Retries), Play);
    }

    private async Task Play(Stage stage)
    {
        stage.Doing = "waits for its turn";
        await Task.Delay(turn * BetweenTurns, stage.Cancellation);

        var customer = stage.Faker.Random.ReplaceNumbers("+919#####") + Script.Number;
        var body = new JsonObject { ["from"] = PlayedCall.ExoPhone, ["to"] = customer, ["metadata"] = new JsonObject { ["script"] = Script.Name } };
        var created = await stage.Host.Create("api/calls/outbound", body, null, stage.Cancellation);
        var call = new ScriptCall(stage, this, customer, created.As<CallView>(HttpStatusCode.Created));

        // A late answer to a dial, of which a callback has told already, is still missing when the call is over.
        var over = await stage.Until(
            call.Id,
            $"COMPLETED, and an answer to every dial",
            call => call.Status == "COMPLETED" && DialsOf(call).Count() == call.History!.Count(entry => entry.Event == "claimed"));
        var answers = string.Join(", ", DialsOf(over));

        stage.Doing = "waits: the provider has told all";
        try
        {
            await exotel.Quiet().WaitAsync(stage.Options.Patience, stage.Cancellation);
        }
        catch (TimeoutException)
        {
            throw new ScenarioFailed($"a quiet provider within {stage.Options.Patience.TotalSeconds:0.#} s", "calls or callbacks still under way");
        }

        call.Witness(ledger());
        Stage.Holds(answers == string.Join(", ", Answers), $"history: {string.Join(", ", Answers)}", answers);
    }

    private static IEnumerable<string> DialsOf(CallView call) =>
        call.History!.Select(entry => entry.Event).Where(@event => @event.StartsWith("dial-", StringComparison.Ordinal));

    /// <summary>
    /// Those that a client must take for a failure of the account are spread among the others: several in a row would make it pause, as the
    /// host does for half a minute after five.
    /// </summary>
    internal static List<Script> Turns(IReadOnlyList<Script> scripts)
    {
        var fails = scripts.Where(LooksLikeAFailure).ToList();
        var works = scripts.Where(script => !LooksLikeAFailure(script)).ToList();
        return [.. works.Zip(fails).SelectMany(pair => new[] { pair.First, pair.Second }), .. works.Skip(fails.Count), .. fails.Skip(works.Count)];
    }

    private static bool LooksLikeAFailure(Script script) =>
        script.Connect is not (ConnectAnswer.Accepted or ConnectAnswer.AfterTheCallbacks or ConnectAnswer.DoNotDisturb or ConnectAnswer.BadRequest);
}
