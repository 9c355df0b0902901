namespace CallOrchestration.Simulator.Storm;

/// <summary>What must hold in every storm: its id, as in the report and the README, and what it says.</summary>
internal sealed record Invariant(int Id, string Name, string Says)
{
    public override string ToString() => $"{Id} {Name}";

    public static readonly Invariant OneDial = new(1, "one-dial", "at most one accepted dial for each call and attempt, and two for each call");
    public static readonly Invariant RetryAfterNoAnswer = new(2, "retry-after-no-answer", "a second attempt only after the provider's own no-answer");
    public static readonly Invariant NoOverlap = new(3, "no-overlap", "attempts do not overlap");
    public static readonly Invariant NeverEarly = new(4, "never-early", "no dial before its time, and none after a cancel that was answered 200");
    public static readonly Invariant RowBeforeDial = new(5, "row-before-dial", "every accepted dial has a row that was committed before it");
    public static readonly Invariant TrueEnd = new(6, "true-end", "each call ends within its bound, as the ledger says it ended");
    public static readonly Invariant LegalLife = new(7, "legal-life", "only legal transitions, no gap in revision, and the history retold gives the row");
    public static readonly Invariant CreatedOnce = new(8, "created-once", "every creation answered 2xx exists once, and one call for each idempotency key");
    public static readonly Invariant WebhooksKept = new(9, "webhooks-kept", "every webhook answered 200 is in the history");
    public static readonly Invariant OwnRowsOnly = new(10, "own-rows-only", "no row of one organization is changed or shown through another");
    public static readonly Invariant NoneStuck = new(11, "none-stuck", "no call in progress outlives its deadline by more than the watchdog's interval and 5 s");
    public static readonly Invariant BackAtRest = new(12, "back-at-rest", "no host ends by itself; its memory, connections and transactions return to where they were");
    public static readonly Invariant SilentLogs = new(13, "silent-logs", "no phone number, key or token in any log");

    public static readonly IReadOnlyList<Invariant> All =
    [
        OneDial, RetryAfterNoAnswer, NoOverlap, NeverEarly, RowBeforeDial, TrueEnd, LegalLife, CreatedOnce, WebhooksKept, OwnRowsOnly, NoneStuck, BackAtRest, SilentLogs,
    ];
}

/// <summary>Where an invariant did not hold.</summary>
internal sealed record Violation(Invariant Invariant, string What);
