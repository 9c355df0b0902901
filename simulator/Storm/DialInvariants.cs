using System.Globalization;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What the ledger says of dials: how many, when, and what was committed before. Invariants 1 to 5.</summary>
internal static class DialInvariants
{
    private const int MostDials = 2;

    // Between the witness's clock and the database's, which are the same one, lies only what the note itself takes.
    private static readonly TimeSpan Grain = TimeSpan.FromMilliseconds(5);

    /// <summary>What the ledger alone can tell, also while the storm goes on.</summary>
    public static IEnumerable<Violation> SoFar(StormRound round)
    {
        var ledger = new LedgerOfCalls(round.Ledger);
        return round.Client?.Calls.Where(call => call.Plan.IsOutbound).Select(call => new CallEvidence(call, [], [], ledger.Of(call.Plan.Customer)))
            .SelectMany(call => OneDial(call).Concat(Retry(call))) ?? [];
    }

    public static IEnumerable<Violation> Check(Evidence evidence) => evidence.Calls.Where(call => call.Plan.IsOutbound)
        .SelectMany(call => OneDial(call).Concat(Retry(call)).Concat(Early(call, evidence)).Concat(Cancelled(call)).Concat(Committed(call, evidence)))
        .Concat(evidence.StrayDials.Select(dial => new Violation(Invariant.RowBeforeDial, $"CallSid {dial.CallSid} was dialled for no call of the client")));

    private static IEnumerable<Violation> OneDial(CallEvidence call)
    {
        foreach (var attempt in call.Dials.GroupBy(dial => (dial.CustomField, dial.Attempt)).Where(attempt => attempt.Count() > 1))
            yield return new(Invariant.OneDial, $"{call.Name}: {attempt.Count()} accepted dials of attempt {attempt.Key.Attempt}");
        // Of the person, whatever the rows say: one request of the client rings one phone twice at the most.
        if (call.Dials.Count > MostDials) yield return new(Invariant.OneDial, $"{call.Name}: {call.Dials.Count} accepted dials");
    }

    private static IEnumerable<Violation> Retry(CallEvidence call)
    {
        foreach (var (before, dial) in call.Dials.Zip(call.Dials.Skip(1)))
        {
            var end = call.EndOf(before);
            if (end is null || end.At > dial.At) yield return new(Invariant.NoOverlap, $"{call.Name}: dialled again while {before.CallSid} was going on");
            if (end is not { Status: "no-answer" }) yield return new(Invariant.RetryAfterNoAnswer, $"{call.Name}: dialled again after {end?.Status ?? "no end"}");
        }

        foreach (var dial in call.Dials.Where(dial => dial.Attempt is not (1 or 2)))
            yield return new(Invariant.RetryAfterNoAnswer, $"{call.Name}: a dial of attempt {dial.Attempt?.ToString(CultureInfo.InvariantCulture) ?? "none"}");
        foreach (var dial in call.Dials.Take(1).Where(dial => dial.Attempt == 2))
            yield return new(Invariant.RetryAfterNoAnswer, $"{call.Name}: attempt 2 was dialled, and attempt 1 never");
    }

    private static IEnumerable<Violation> Early(CallEvidence call, Evidence evidence)
    {
        foreach (var dial in call.Dials.Where(dial => dial.Attempt == 1))
        {
            if (NotBefore(call, dial.At) is { } earliest && dial.At < earliest)
                yield return new(Invariant.NeverEarly, $"{call.Name}: dialled {(earliest - dial.At).TotalMilliseconds:0.0} ms before its time");
        }

        foreach (var dial in call.Dials.Where(dial => dial.Attempt == 2))
        {
            // A client may move the second attempt as it may the first.
            var moved = call.Client.AskedOf.Where(ask => ask is { What: "move" } && ask.SentAt < dial.At).Min(ask => ask.DueAt);
            if (call.EndOf(call.Dials[0])?.At + StormTimes.RetryDelay is not { } again) continue;
            var earliest = moved < again ? moved.Value : again;
            if (dial.At < earliest) yield return new(Invariant.NeverEarly, $"{call.Name}: tried again {(earliest - dial.At).TotalMilliseconds:0.0} ms before its time");
        }

        // By the database's clock: what is claimed was due.
        foreach (var (before, after) in call.Versions.Zip(call.Versions.Skip(1)))
        {
            if (before.Status == "PENDING" && after.Status == "IN_PROGRESS" && !call.Plan.IsHeld && !(before.NextActionAt <= after.StartedAt))
                yield return new(Invariant.NeverEarly, $"{call.Name}: claimed at {after.StartedAt:O}, due at {before.NextActionAt?.ToString("O", CultureInfo.InvariantCulture) ?? "no time"}");
        }
    }

    // By what the client asked for and was told alone.
    private static DateTimeOffset? NotBefore(CallEvidence call, DateTimeOffset dialled)
    {
        if (call.Plan.IsHeld) return call.Client.AskedOf.Where(ask => ask.What == "dial").Select(ask => (DateTimeOffset?)ask.SentAt).Min() ?? DateTimeOffset.MaxValue;
        var created = call.Client.AskedOf.Where(ask => ask.What == "create").Select(ask => ask.DueAt ?? ask.SentAt).Min();
        var moves = call.Client.AskedOf.Where(ask => ask.What == "move").ToList();
        // A move that was answered before the dial counts alone; one whose answer is open may count.
        if (moves.FirstOrDefault(move => move.Status == 200 && move.AnsweredAt < dialled) is { } moved) return moved.DueAt;
        return moves.Where(move => move.SentAt < dialled).Select(move => move.DueAt!.Value).Append(created).Min();
    }

    private static IEnumerable<Violation> Cancelled(CallEvidence call)
    {
        // A cancel that was answered 200 says that this attempt was never dialled, and that none will be.
        foreach (var cancel in call.Client.AskedOf.Where(ask => ask is { What: "cancel", Status: 200 }))
        {
            foreach (var dial in call.Dials.Where(dial => dial.At > cancel.AnsweredAt || call.Rows.Any(row => row.Retries + 1 == dial.Attempt)))
                yield return new(Invariant.NeverEarly, $"{call.Name}: {dial.CallSid} was dialled {(dial.At - cancel.AnsweredAt).TotalMilliseconds:0} ms after its cancel was answered 200");
        }
    }

    private static IEnumerable<Violation> Committed(CallEvidence call, Evidence evidence)
    {
        foreach (var dial in call.Dials)
        {
            var row = call.Rows.FirstOrDefault(row => row.Id.ToString() == dial.CustomField);
            if (row is null)
            {
                yield return new(Invariant.RowBeforeDial, $"{call.Name}: {dial.CallSid} names a call that has no row ({dial.CustomField ?? "none"})");
            }
            else if (evidence.RowsAtDial.TryGetValue(dial.CallSid!, out var then))
            {
                if (then.Status != "IN_PROGRESS" || then.Retries + 1 != dial.Attempt)
                    yield return new(Invariant.RowBeforeDial, $"{call.Name}: when attempt {dial.Attempt} was dialled its row was {then.Status ?? "not there"}, {then.Retries} retries");
            }
            else if (!call.Versions.Any(version => version.Status == "IN_PROGRESS" && version.Retries + 1 == dial.Attempt && version.At <= dial.At.UtcDateTime + Grain))
            {
                yield return new(Invariant.RowBeforeDial, $"{call.Name}: no claim of attempt {dial.Attempt} before its dial");
            }
        }
    }
}
