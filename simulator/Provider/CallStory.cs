namespace CallOrchestration.Simulator.Provider;

/// <summary>Plays a call as its script has it: rings, talks, ends, and tells the client on the way.</summary>
internal sealed class CallStory(ExotelOptions options, Ledger ledger, Callbacks callbacks)
{
    private const int RingsOutAfterSeconds = 30;

    // Nothing that Exotel documents, and nothing that a client could have a case for.
    private const string UnheardOf = "rerouted";

    private DateTimeOffset Now => options.Time.GetUtcNow();

    public async Task Play(ProviderCall call, CancellationToken stop)
    {
        // The same people ring and talk as long when the seed is played again.
        var dice = Scripts.Dice(options.Seed, call.Asked.From, call.Dial);
        var (rings, secondRings, talks) = call.Script.Short ? (1, 0, 1) : (dice.Next(3, 9), dice.Next(2, 6), dice.Next(15, 41));
        if (call.Ending != "completed")
        {
            await Pass(call.Ending == "no-answer" ? call.Asked.TimeOut ?? RingsOutAfterSeconds : rings, stop);
            await End(call, new(call.Ending, Now), stop);
            return;
        }

        await Pass(rings, stop);
        if (call.Script.Telling == Telling.UnknownWordFirst)
            await callbacks.Tell(call, "unknown-word", CallbackBody.Minimal(call, UnheardOf, Now), stop);
        call.State = call.State with { Updated = Now };
        await TellAnswered(call, 1, stop);
        await callbacks.AskTheFlow(call, stop);
        if (call.Legs > 1)
        {
            await Pass(secondRings, stop);
            await TellAnswered(call, 2, stop);
        }

        talks = Math.Min(talks, call.Asked.TimeLimit ?? talks);
        await Pass(talks, stop);
        await End(call, new("completed", Now) { TalkSeconds = talks, FirstLegSeconds = call.Legs > 1 ? secondRings + talks : talks }, stop);
    }

    private async Task End(ProviderCall call, CallState end, CancellationToken stop)
    {
        ledger.Write(call.Entry(LedgerKind.End) with { Status = end.Status, DurationSeconds = end.TalkSeconds });
        call.State = end with { Ended = end.Updated };
        switch (call.Script.Telling)
        {
            case Telling.Never:
                break;
            case Telling.TwiceOutOfOrder:
                for (var time = 1; time <= 2; time++)
                {
                    await TellEnd(call, stop);
                    for (var leg = 1; leg <= call.Legs; leg++) await Answered(call, leg, stop);
                }

                break;
            case Telling.SpoiltFirst:
                if (Ending(call) is var (@event, payload)) await callbacks.TellSpoilt(call, @event, payload, stop);
                await TellEnd(call, stop);
                break;
            default:
                await TellEnd(call, stop);
                break;
        }
    }

    private Task TellAnswered(ProviderCall call, int leg, CancellationToken stop) =>
        call.Script.Telling is Telling.Never or Telling.TwiceOutOfOrder ? Task.CompletedTask : Answered(call, leg, stop);

    private Task Answered(ProviderCall call, int leg, CancellationToken stop) =>
        call.Asked.WantsAnswered ? callbacks.Tell(call, "answered", CallbackBody.Answered(call, leg, Now), stop) : Task.CompletedTask;

    private Task TellEnd(ProviderCall call, CancellationToken stop) =>
        Ending(call) is var (@event, payload) ? callbacks.Tell(call, @event, payload, stop) : Task.CompletedTask;

    // Whoever subscribed to answers alone is told of no end.
    private (string, Exotel.Payload)? Ending(ProviderCall call) =>
        call.Asked.WantsTerminal ? ("terminal", CallbackBody.Terminal(call, Now))
        : call.Asked.WantsAnswered ? null
        : ("minimal", CallbackBody.Minimal(call, call.State.Status, Now));

    private Task Pass(double seconds, CancellationToken stop) =>
        Task.Delay(TimeSpan.FromSeconds(seconds / options.Speed), options.Time, stop);
}
