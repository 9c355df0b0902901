namespace CallOrchestration.Calls;

/// <summary>Where a call is in its life: the words of the column <c>status</c> and of the API.</summary>
public static class CallStatus
{
    /// <summary>Not dialled (or not dialled again) yet.</summary>
    public const string Pending = "PENDING";

    /// <summary>Claimed, dialled, ringing or talking.</summary>
    public const string InProgress = "IN_PROGRESS";

    /// <summary>Over; the outcome says how it ended.</summary>
    public const string Completed = "COMPLETED";

    /// <summary>Every status, in the order of a call's life.</summary>
    public static IReadOnlyList<string> All { get; } = [Pending, InProgress, Completed];
}

/// <summary>Who calls whom: the words of the column <c>direction</c> and of the API.</summary>
public static class CallDirection
{
    /// <summary>Somebody called the organization.</summary>
    public const string Inbound = "INBOUND";

    /// <summary>The organization calls somebody.</summary>
    public const string Outbound = "OUTBOUND";

    /// <summary>Both directions.</summary>
    public static IReadOnlyList<string> All { get; } = [Inbound, Outbound];
}

/// <summary>How a call ended: the words of the column <c>outcome</c> and of the API.</summary>
public static class CallOutcome
{
    /// <summary>Answered, and over.</summary>
    public const string Completed = "completed";

    /// <summary>Rang out. An outbound call is tried once more first.</summary>
    public const string NoAnswer = "no-answer";

    /// <summary>The line was busy.</summary>
    public const string Busy = "busy";

    /// <summary>The provider could not or would not place the call.</summary>
    public const string Failed = "failed";

    /// <summary>Called off: by us before the dial, or by the caller or provider during the call.</summary>
    public const string Canceled = "canceled";

    /// <summary>Nobody ever told us how it ended.</summary>
    public const string Unknown = "unknown";

    /// <summary>Every outcome.</summary>
    public static IReadOnlyList<string> All { get; } = [Completed, NoAnswer, Busy, Failed, Canceled, Unknown];
}

/// <summary>
/// The rules of a call's life as one pure function. The guard in the database says the same and decides; this one is for
/// good error messages.
/// </summary>
public static class CallLifecycle
{
    /// <summary>
    /// Whether a call may go from one status to another. <paramref name="retry"/>: the step spends the one retry.
    /// <paramref name="atProvider"/>: something shows that the provider has the present attempt, so it must not be dialled again.
    /// </summary>
    public static bool IsLegal(
        string direction, string from, string to, string? outcome, bool retry = false, bool atProvider = false)
    {
        if ((outcome is not null) != (to == CallStatus.Completed)) return false;
        if (retry && (from, to) != (CallStatus.InProgress, CallStatus.Pending)) return false;
        return (from, to) switch
        {
            (CallStatus.Pending, CallStatus.InProgress) => true,
            (CallStatus.Pending, CallStatus.Completed) => outcome == CallOutcome.Canceled,
            (CallStatus.InProgress, CallStatus.Completed) => true,
            (CallStatus.InProgress, CallStatus.Pending) => direction == CallDirection.Outbound && (retry || !atProvider),
            _ => false,
        };
    }

    /// <summary>What a person may set the status to, from a given one; the way back to PENDING is the scheduler's own.</summary>
    public static IReadOnlyList<string> AllowedNext(string status) => status switch
    {
        CallStatus.Pending => [CallStatus.InProgress, $"{CallStatus.Completed} ({CallOutcome.Canceled})"],
        CallStatus.InProgress => [CallStatus.Completed],
        _ => [],
    };
}
