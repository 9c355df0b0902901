using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>What the ledger and the calls do not agree on; of no call where no call of ours is named.</summary>
internal sealed record Disagreement(Guid? CallId, Problem Problem);

/// <summary>Holds the provider's ledger, the witness that knows nothing of the host, against the calls as the host has them.</summary>
internal static class LedgerCheck
{
    private const int MostDials = 2;

    /// <param name="ledger">Of this run.</param>
    /// <param name="calls">The calls that were played.</param>
    /// <param name="others">Calls of the host that somebody else made.</param>
    public static IReadOnlyList<Disagreement> Of(
        IReadOnlyList<LedgerEntry> ledger, IReadOnlyCollection<CallView> calls, IReadOnlyCollection<Guid> others)
    {
        var byCall = ledger.Where(entry => entry.Kind != LedgerKind.Start).ToLookup(CallId);
        var known = calls.Select(call => (Guid?)call.Id).Concat(others.Select(id => (Guid?)id)).ToHashSet();
        var strays = byCall.Where(of => !known.Contains(of.Key)).SelectMany(of => of).Where(entry => entry.Kind == LedgerKind.Dial);
        return
        [
            .. strays.Select(dial => new Disagreement(null, new("no dial without a row", $"CallSid {dial.CallSid}, CustomField {dial.CustomField ?? "none"}"))),
            .. calls.SelectMany(call => OfCall([.. byCall[call.Id]], call).Select(problem => new Disagreement(call.Id, problem))),
        ];
    }

    /// <summary>The call that an entry names as its own, if it is the id of one.</summary>
    public static Guid? CallId(LedgerEntry entry) => Guid.TryParse(entry.CustomField, out var id) ? id : null;

    /// <summary>The word of a callback, as the host's history has it.</summary>
    public static string Word(LedgerEntry callback) => (callback.Event == "answered" ? callback.Event : callback.Status) ?? "";

    private static IEnumerable<Problem> OfCall(IReadOnlyList<LedgerEntry> ledger, CallView call) =>
        Dials(ledger, call).Concat(End(ledger, call)).Concat(Claims(ledger, call)).Concat(Callbacks(ledger, call));

    private static IEnumerable<Problem> Dials(IReadOnlyList<LedgerEntry> ledger, CallView call)
    {
        var dials = Of(ledger, LedgerKind.Dial);
        foreach (var attempt in dials.GroupBy(dial => dial.Attempt).Where(attempt => attempt.Count() > 1))
            yield return new($"ledger: attempt {attempt.Key} dialled at most once", $"{attempt.Count()} dials");
        if (dials.Count > MostDials) yield return new($"ledger: at most {MostDials} dials of a call", $"{dials.Count}");
        foreach (var dial in dials.Where(dial => dial.Attempt is null || dial.Attempt < 1 || dial.Attempt > call.Retries + 1))
            yield return new($"ledger: dials of attempts 1 to {call.Retries + 1}", $"attempt {dial.Attempt?.ToString() ?? "none"}");
        foreach (var dial in dials.Where(dial => dial.From != call.To)) yield return new($"ledger: {call.To} dialled", $"{dial.From}");

        var last = dials.Count > 0 ? dials[^1].CallSid : null;
        if (call.ProviderCallId != last) yield return new($"ledger: CallSid {last ?? "none"} of the last dial", $"provider_call_id {call.ProviderCallId ?? "null"}");
    }

    private static IEnumerable<Problem> End(IReadOnlyList<LedgerEntry> ledger, CallView call)
    {
        var dials = Of(ledger, LedgerKind.Dial);
        var ends = dials.Select(dial => ledger.LastOrDefault(entry => entry.Kind == LedgerKind.End && entry.CallSid == dial.CallSid)?.Status).ToList();

        // Whom nobody can ask, the host cannot know the end of; and a server's error may or may not have placed a call.
        var played = dials switch
        {
            [] => Of(ledger, LedgerKind.Refused) is [.., { HttpStatus: < 500 }] ? "failed" : "unknown",
            [.., var last] when Scripts.All.Any(script => script.Name == last.Script && script.Forgotten) => "unknown",
            _ => ends[^1] ?? "no end",
        };
        if (call.Outcome != played) yield return new($"ledger: played to the outcome {played}", call.Outcome ?? "null");

        var retries = played != "unknown" && ends.FirstOrDefault() == "no-answer" ? 1 : 0;
        if (call.Retries != retries) yield return new($"ledger: retries {retries}", $"{call.Retries}");
        if (played != "unknown" && dials.Count > 0 && dials.Count != retries + 1) yield return new($"ledger: {retries + 1} dials", $"{dials.Count}");
    }

    // One claim is one request and one answer to it, whatever the answer.
    private static IEnumerable<Problem> Claims(IReadOnlyList<LedgerEntry> ledger, CallView call)
    {
        var history = call.History ?? [];
        for (var attempt = 1; attempt <= call.Retries + 1; attempt++)
        {
            var claims = history.Count(entry => entry.Event == "claimed" && entry.Attempt == attempt);
            var answers = history.Where(entry => entry.Event.StartsWith("dial-", StringComparison.Ordinal) && entry.Attempt == attempt).ToList();
            if (claims == 0) yield return new($"history: a claim of attempt {attempt}", "none");
            if (answers.Count != claims) yield return new($"history: a dial-… for each of {claims} claims of attempt {attempt}", $"{answers.Count}");

            var sent = answers.Count(entry => entry.Event != "dial-not-sent");
            var requests = ledger.Count(entry => entry.Kind is LedgerKind.Dial or LedgerKind.Refused && entry.Attempt == attempt);
            if (requests != sent) yield return new($"ledger: one request for each of {sent} dials of attempt {attempt}", $"{requests}");

            var rang = answers.Count(entry => entry.Event is "dial-accepted" or "dial-unknown");
            if (rang > 1) yield return new($"history: no dial of attempt {attempt} after one that may have rung", $"{rang}");
        }
    }

    private static IEnumerable<Problem> Callbacks(IReadOnlyList<LedgerEntry> ledger, CallView call)
    {
        var answers = Of(ledger, LedgerKind.CallbackAnswer);
        foreach (var taken in answers.Where(answer => answer.HttpStatus == 200).GroupBy(answer => (answer.Attempt, Word: Word(answer))))
        {
            // More is right too: what the host asked for by itself stands there in the same words.
            var found = call.History?.Count(entry => entry.Source == "provider" && entry.Event == taken.Key.Word && entry.Attempt == taken.Key.Attempt);
            if (found < taken.Count())
                yield return new($"history: '{taken.Key.Word}' of attempt {taken.Key.Attempt}, taken {taken.Count()} times", $"{found}");
        }

        // Nothing else than what was spoilt on purpose may be turned away.
        foreach (var lost in answers.Where(answer => answer.HttpStatus != 200 && !SpoiltOnPurpose(answer)))
            yield return new($"200 to the callback '{Word(lost)}' of attempt {lost.Attempt}", lost.HttpStatus?.ToString() ?? lost.Message ?? "no answer");
    }

    private static bool SpoiltOnPurpose(LedgerEntry answer) =>
        answer.HttpStatus == 400 && Scripts.All.Any(script => script.Name == answer.Script && script.Telling == Telling.SpoiltFirst);

    private static List<LedgerEntry> Of(IReadOnlyList<LedgerEntry> ledger, string kind) => [.. ledger.Where(entry => entry.Kind == kind)];
}
