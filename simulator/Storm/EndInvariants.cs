using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>How calls end, and that they do. Invariants 6 and 11.</summary>
internal static class EndInvariants
{
    private static readonly TimeSpan LatestWatchdog = StormTimes.Interval + TimeSpan.FromSeconds(5);

    // What a fault leaves undone shows a moment later.
    private static readonly TimeSpan AroundAStrike = TimeSpan.FromSeconds(1);

    // On a machine that is busy with a storm. In life there is a minute between two questions.
    private static readonly TimeSpan ToWriteAnAnswer = TimeSpan.FromSeconds(3);

    private static readonly Dictionary<string, string> InboundOutcomes = new()
    {
        ["completed"] = "completed", ["incomplete"] = "no-answer", ["client-hangup"] = "canceled", ["voicemail"] = "no-answer", ["stream"] = "completed",
    };

    public static IEnumerable<Violation> Check(Evidence evidence) => evidence.Calls.SelectMany(call => call.Rows.SelectMany(row =>
        Ending(call, row, evidence).Select(what => new Violation(Invariant.TrueEnd, $"{call.Name}: {what}"))
            .Concat(Stuck(call, row, evidence).Select(what => new Violation(Invariant.NoneStuck, $"{call.Name}: {what}")))))
        .Concat(evidence.Calls.SelectMany(Probes).Select(what => new Violation(Invariant.BackAtRest, what)));

    private static IEnumerable<string> Ending(CallEvidence call, FinalRow row, Evidence evidence)
    {
        // Held until somebody dials it, and whoever should have done so gave up without an answer.
        if (call.Plan.IsHeld && row.Status == "PENDING" && call.Client.AskedOf.All(ask => ask is not { What: "dial", Status: < 500 })) return [];
        if (row.Status != "COMPLETED")
            return [$"still {row.Status} {(evidence.Round.Ended - evidence.Round.LastActed).TotalSeconds:0} s after the last call and fault"];
        if (!call.Plan.IsOutbound) return Inbound(call, row);
        var cancels = call.Client.AskedOf.Where(ask => ask.What == "cancel").ToList();
        if (cancels.Any(cancel => cancel.Status == 200)) return row.Outcome == "canceled" ? [] : [$"its cancel was answered 200, and it ended {row.Outcome}"];
        // Nobody was told of this cancel, and it happened all the same.
        if (row.Outcome == "canceled" && cancels.Any(cancel => cancel.Status is null or >= 500) && call.Dials.All(dial => dial.Attempt != row.Retries + 1)) return [];
        return Outbound(call, row, evidence);
    }

    // Nothing strikes any more: whatever does not go well now was left broken.
    private static IEnumerable<string> Probes(CallEvidence call)
    {
        if (call.Plan.Kind == CallKind.Probe && call.Rows.All(row => row.Outcome != "completed"))
            yield return $"host {call.Plan.Door + 1} does not work any more: a call of its own {(call.Rows.Count == 0 ? "could not be created" : $"ended {call.Rows[0].Outcome ?? "not at all"}")}";
    }

    private static IEnumerable<string> Outbound(CallEvidence call, FinalRow row, Evidence evidence)
    {
        var dials = call.Dials.Where(dial => dial.CustomField == row.Id.ToString()).ToList();
        var first = dials.Find(dial => dial.Attempt == 1);
        if (row.Retries == 1 && (first is null || call.EndOf(first)?.Status != "no-answer"))
            yield return $"its retry was spent after {(first is null ? "no dial" : call.EndOf(first)?.Status ?? "no end")}";
        if (row is { Retries: 0, Outcome: "no-answer" }) yield return "ended no-answer without its second attempt";

        var last = dials.LastOrDefault(dial => dial.Attempt == row.Retries + 1);
        var refused = call.Of(LedgerKind.Refused).Where(entry => entry.CustomField == row.Id.ToString() && entry.Attempt == row.Retries + 1).ToList();
        if (row.Outcome == "unknown")
        {
            foreach (var what in WhyUnknown(call, row, last, refused, evidence)) yield return what;
        }
        else if (last is null)
        {
            if (row.Outcome != "failed" || !refused.Any(entry => entry.HttpStatus is >= 400 and < 500 and not 429))
                yield return $"ended {row.Outcome}, and attempt {row.Retries + 1} was never dialled";
        }
        else if (call.EndOf(last)?.Status is var end && end != row.Outcome)
        {
            yield return $"ended {row.Outcome}, by the ledger {end ?? "not at all"}";
        }
    }

    // Unknown is for what nobody could tell.
    private static IEnumerable<string> WhyUnknown(CallEvidence call, FinalRow row, LedgerEntry? dial, List<LedgerEntry> refused, Evidence evidence)
    {
        var gaveUp = Over(call, row);
        if (dial is not null)
        {
            if (call.Of(LedgerKind.CallbackAnswer).Any(answer => answer.CallSid == dial.CallSid && answer is { Event: "terminal", HttpStatus: 200, Mishap: not ("half" or "unheard-of") } && answer.At < gaveUp))
                yield return "ended unknown though a callback with its end had been answered 200";
            var tells = call.Plan.Script is { Forgotten: false, FailingLookUps: < int.MaxValue, StaleLookUps: < int.MaxValue };
            if (!tells || call.EndOf(dial) is not { } end || end.At >= gaveUp) yield break;
            var strikes = evidence.Round.Strikes;
            var asked = call.Of(LedgerKind.LookUp).Where(look => look.CallSid == dial.CallSid && look.At < gaveUp).ToList();
            // A question is spent also where a fault struck it on its way, or its answer before that was written down.
            if (asked.Any(look => look is { HttpStatus: 200 } && look.Status == end.Status && look.At + ToWriteAnAnswer <= gaveUp && !strikes.Within(look.At - AroundAStrike, look.At + ToWriteAnAnswer)))
                yield return $"ended unknown though the provider's details told {end.Status} in time";
            else if (asked.Count < StormTimes.LookUps && !strikes.Within(dial.At, gaveUp))
                yield return $"ended unknown after {asked.Count} questions, and the provider's details tell {end.Status}";
            yield break;
        }

        // It was refused, and the answer was an error that may have placed it, or was lost on its way.
        if (refused.Any(entry => entry.HttpStatus >= 500)) yield break;
        if (refused.Count > 0 && row.History.Any(entry => entry.Event == "dial-unknown" && entry.Attempt == row.Retries + 1)) yield break;
        // Claimed and never dialled: only what was struck may lose its dial.
        var claimed = call.Versions.LastOrDefault(version => version.Id == row.Id && version.Status == "IN_PROGRESS" && version.Retries == row.Retries)?.At;
        var began = call.Versions.FirstOrDefault(version => version.Id == row.Id && version.Status == "IN_PROGRESS" && version.Retries == row.Retries)?.At;
        if (claimed is null || began is null || !evidence.Round.Strikes.Within(began.Value - AroundAStrike, gaveUp))
            yield return "ended unknown, never dialled, and nothing had struck";
    }

    private static IEnumerable<string> Inbound(CallEvidence call, FinalRow row)
    {
        var ends = call.Client.Told.Where(step => step.IsEnd).ToList();
        var told = InboundOutcomes[call.Plan.InboundEnding];
        var mayBeUnknown = !ends.Any(step => step.Status == 200 && step.AnsweredAt < Over(call, row));
        if (row.Outcome != told && !(row.Outcome == "unknown" && mayBeUnknown)) yield return $"ended {row.Outcome}, and the caller's story {told}";
        if (row.Outcome == told && ends.Count == 0) yield return $"ended {row.Outcome}, which nobody told";
    }

    private static DateTimeOffset Over(CallEvidence call, FinalRow row) =>
        call.Versions.FirstOrDefault(version => version.Id == row.Id && version.Status == "COMPLETED")?.At ?? DateTimeOffset.MaxValue;

    private static IEnumerable<string> Stuck(CallEvidence call, FinalRow row, Evidence evidence)
    {
        DateTimeOffset? deadline = null;
        foreach (var version in call.Versions.Where(version => version.Id == row.Id))
        {
            if (Late(version.At) is { } late) yield return late;
            if (version.Status != "IN_PROGRESS") deadline = null;
            else if (version.NextActionAt is { } next && next != deadline?.UtcDateTime) deadline = next;
        }

        if (Late(evidence.Round.Ended) is { } still) yield return still;

        string? Late(DateTimeOffset now) =>
            deadline is { } due && now > due && now - due - evidence.Round.Strikes.BrokenWithin(due, now) is var over && over > LatestWatchdog
                ? $"in progress for {over.TotalSeconds:0.0} s past its deadline"
                : null;
    }
}
