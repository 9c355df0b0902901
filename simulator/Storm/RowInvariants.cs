using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What was committed: each life a legal one, everything that was acknowledged there, and nobody's row in others' hands. Invariants 7 to 10.</summary>
internal static class RowInvariants
{
    public static IEnumerable<Violation> Check(Evidence evidence) =>
        evidence.Calls.SelectMany(call => Life(call).Concat(Created(call)).Concat(Kept(call)).Concat(Own(call, evidence)))
            .Concat(evidence.Strays.Select(row => new Violation(Invariant.CreatedOnce, $"row {row.Id}, {row.Direction}, is nobody's")))
            .Concat(evidence.Round.Client!.Intrusions.Select(what => new Violation(Invariant.OwnRowsOnly, what)))
            .Concat(Lists(evidence));

    private static IEnumerable<Violation> Life(CallEvidence call)
    {
        foreach (var row in call.Rows)
        {
            var versions = call.Versions.Where(version => version.Id == row.Id).ToList();
            foreach (var what in Transitions(versions).Concat(LastIs(row, versions)).Concat(Retold(row)))
                yield return new(Invariant.LegalLife, $"{call.Name}: {what}");
        }
    }

    private static IEnumerable<string> Transitions(List<RowVersion> versions)
    {
        if (versions.FirstOrDefault() is not { Revision: 1, Retries: 0, Outcome: null } first || first.Status is not "PENDING" && first is not { Direction: "INBOUND", Status: "IN_PROGRESS" })
            yield return "did not begin as a new call does";
        foreach (var (before, after) in versions.Zip(versions.Skip(1)))
        {
            if (after.Gone) yield return "was deleted";
            else if (after.Revision != before.Revision + 1) yield return $"went from revision {before.Revision} to {after.Revision}";
            if (!IsLegal(before, after)) yield return $"went from {State(before)} to {State(after)}";
        }
    }

    // The simulator's own reading of the contract.
    private static bool IsLegal(RowVersion before, RowVersion after) => (before.Status, after.Status) switch
    {
        ("PENDING", "PENDING") or ("IN_PROGRESS", "IN_PROGRESS") => before.Retries == after.Retries && after.Outcome is null && (after.Status == "PENDING" || after.NextActionAt is not null),
        ("PENDING", "IN_PROGRESS") => before.Retries == after.Retries && after is { Outcome: null, NextActionAt: not null } && after.Claims == before.Claims + 1,
        ("PENDING", "COMPLETED") => before.Retries == after.Retries && after.Outcome == "canceled",
        ("IN_PROGRESS", "COMPLETED") => before.Retries == after.Retries && after is { Outcome: not null, NextActionAt: null },
        ("IN_PROGRESS", "PENDING") => after is { Direction: "OUTBOUND", Outcome: null, ProviderCallId: null }
            && (after.Retries == before.Retries + 1 && after.Retries == 1 || after.Retries == before.Retries && before.ProviderCallId is null),
        ("COMPLETED", "COMPLETED") => before.Outcome == after.Outcome && before.Retries == after.Retries,
        _ => false,
    };

    private static string State(RowVersion version) => $"{version.Status} ({version.Outcome ?? "no outcome"}, {version.Retries} retries)";

    private static IEnumerable<string> LastIs(FinalRow row, List<RowVersion> versions)
    {
        if (versions.LastOrDefault() is not { } last || (last.Status, last.Outcome, last.Retries, last.Revision) != (row.Status, row.Outcome, row.Retries, row.Revision))
            yield return "its row is not its last version";
    }

    /// <summary>Tells the call's life again from its history alone; it must come out as the row has it.</summary>
    private static IEnumerable<string> Retold(FinalRow row)
    {
        var (status, outcome, retries) = ("", (string?)null, 0);
        var at = DateTimeOffset.MinValue;
        foreach (var entry in row.History)
        {
            (status, outcome, retries) = (entry.Event, entry.Source) switch
            {
                ("created", _) when status == "" => (row.Direction == "INBOUND" ? "IN_PROGRESS" : "PENDING", null, 0),
                ("claimed", _) when status == "PENDING" => ("IN_PROGRESS", null, retries),
                ("dial-refused", "scheduler") when status == "IN_PROGRESS" && entry.Status == "COMPLETED" => ("COMPLETED", "failed", retries),
                ("dial-throttled" or "dial-not-sent", "scheduler") when status == "IN_PROGRESS" && entry.Status == "PENDING" => ("PENDING", null, retries),
                ("gave-up", "watchdog") when status == "IN_PROGRESS" => ("COMPLETED", "unknown", retries),
                ("canceled", "api") when status == "PENDING" => ("COMPLETED", "canceled", retries),
                ("no-answer", "provider") when entry.Applied == true && status == "IN_PROGRESS" && row.Direction == "OUTBOUND" && retries == 0 => ("PENDING", null, 1),
                ("answered", "provider") => (status, outcome, retries),
                (_, "provider") when entry.Applied == true && status == "IN_PROGRESS" => ("COMPLETED", entry.Event, retries),
                ("status-changed", _) => ("changed past the host", outcome, retries),
                _ => (status, outcome, retries),
            };
            if (entry.Status != status) yield return $"its history says {entry.Status} after '{entry.Event}', retold it is {status}";
            if (entry.At < at) yield return $"its history is not in order of time at '{entry.Event}'";
            at = entry.At;
        }

        // What came after the last entry that is kept cannot be retold.
        if (row.HistoryDropped == 0 && (status, outcome, retries) != (row.Status, row.Outcome, row.Retries))
            yield return $"its history retold gives {status} ({outcome ?? "no outcome"}, {retries} retries), its row is {row.Status} ({row.Outcome ?? "no outcome"}, {row.Retries} retries)";
        if (row.History.Count + row.HistoryDropped > row.Revision) yield return $"{row.History.Count + row.HistoryDropped} entries of history in {row.Revision} revisions";
    }

    private static IEnumerable<Violation> Created(CallEvidence call)
    {
        if (call.Rows.Count > 1) yield return new(Invariant.CreatedOnce, $"{call.Name}: {call.Rows.Count} rows");
        if (call.Client.Ids.Count > 1) yield return new(Invariant.CreatedOnce, $"{call.Name}: its key was answered with {call.Client.Ids.Count} calls");
        foreach (var id in call.Client.Ids.Where(id => call.Rows.All(row => row.Id != id)))
            yield return new(Invariant.CreatedOnce, $"{call.Name}: {id} was answered 201, and has no row");
        foreach (var step in call.Client.Told.Where(step => step.Status == 200 && call.Rows.All(row => row.Id != step.CallId)))
            yield return new(Invariant.CreatedOnce, $"{call.Name}: step '{step.Step}' was answered 200 with {step.CallId?.ToString() ?? "no call"}");
        foreach (var asked in call.Client.AskedOf.Where(ask => ask is { What: "create", Status: not (201 or null or >= 500) }))
            yield return new(Invariant.CreatedOnce, $"{call.Name}: its creation was answered {asked.Status}");
    }

    private static IEnumerable<Violation> Kept(CallEvidence call)
    {
        if (call.Rows is not [var row, ..]) yield break;
        var noted = row.History.Select(entry => entry.Detail("DeliveryId")).OfType<string>().CountBy(id => id).ToDictionary();
        var taken = call.Of(LedgerKind.CallbackAnswer).Where(answer => answer.HttpStatus == 200)
            .Select(answer => (Id: $"{answer.CallSid}-{answer.Delivery}", What: $"callback '{answer.Event}'"))
            .Concat(call.Client.Told.Where(step => step.Status == 200).Select(step => (Id: step.DeliveryId, What: $"step '{step.Step}'")))
            .GroupBy(told => told);
        var missing = taken.Sum(told => Math.Max(0, told.Count() - noted.GetValueOrDefault(told.Key.Id)));
        // Past 64 entries the newest are counted, and no longer kept.
        if (missing <= row.HistoryDropped) yield break;
        foreach (var told in taken.Where(told => noted.GetValueOrDefault(told.Key.Id) < told.Count()))
            yield return new(Invariant.WebhooksKept, $"{call.Name}: {told.Key.What} {told.Key.Id} was answered 200 {told.Count()} times, and is in the history {noted.GetValueOrDefault(told.Key.Id)} times");
    }

    private static IEnumerable<Violation> Own(CallEvidence call, Evidence evidence)
    {
        var owner = evidence.Organizations[call.Plan.Organization].Id;
        if (call.Versions.Any(version => version.OrganizationId != owner)) yield return new(Invariant.OwnRowsOnly, $"{call.Name}: its row is another organization's");
        foreach (var row in call.Rows)
        {
            if (row.Metadata?.Contains("intruder", StringComparison.Ordinal) == true || row.HistoryJson.Contains("intruder", StringComparison.Ordinal))
                yield return new(Invariant.OwnRowsOnly, $"{call.Name}: another organization has changed it");
        }
    }

    private static IEnumerable<Violation> Lists(Evidence evidence)
    {
        var rows = evidence.Calls.SelectMany(call => call.Rows).Concat(evidence.Strays).ToList();
        foreach (var (organization, listed) in evidence.Listed)
        {
            var own = rows.Where(row => row.OrganizationId == organization).Select(row => row.Id).ToHashSet();
            var others = rows.Where(row => row.OrganizationId != organization).Select(row => row.Id).ToHashSet();
            foreach (var id in listed.Where(others.Contains)) yield return new(Invariant.OwnRowsOnly, $"call {id} is listed for another organization");
            foreach (var id in own.Except(listed)) yield return new(Invariant.OwnRowsOnly, $"call {id} is not listed for its own organization");
            if (listed.Distinct().Count() != listed.Count) yield return new(Invariant.OwnRowsOnly, "a call is listed twice");
        }
    }
}
