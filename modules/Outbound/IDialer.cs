namespace CallOrchestration.Outbound;

/// <summary>One dial: one attempt of one call.</summary>
/// <param name="CallId">Our name for the call; the provider hands it back as CustomField.</param>
/// <param name="OrganizationId">Whose call it is.</param>
/// <param name="Attempt">1, or 2 for the retry.</param>
/// <param name="From">The organization's number, E.164.</param>
/// <param name="To">The number to dial, E.164.</param>
public sealed record DialRequest(Guid CallId, Guid OrganizationId, int Attempt, string From, string To);

/// <summary>What became of a dial. The four differ in whether a phone may be ringing, since only that decides what is safe to do next.</summary>
public abstract record DialResult
{
    private DialResult()
    {
    }

    /// <summary>The provider has the call. It may ring, and the provider's events say how it ends.</summary>
    /// <param name="ProviderCallId">The provider's name for it.</param>
    public sealed record Accepted(string ProviderCallId) : DialResult;

    /// <summary>The provider refused for good (4xx): nothing rang and nothing will. The call ends as failed.</summary>
    /// <param name="Reason">The provider's reason, without the number.</param>
    public sealed record Refused(string Reason) : DialResult;

    /// <summary>Nothing rang, but it may later: throttled, or the provider could not be reached. The call goes back to PENDING.</summary>
    /// <param name="Reason">Why.</param>
    /// <param name="RetryAfter">How long the provider asks to wait; null where it says nothing.</param>
    public sealed record NotSent(string Reason, TimeSpan? RetryAfter = null) : DialResult;

    /// <summary>
    /// Nobody can say whether a phone rings (timeout, 5xx, an answer that cannot be read): never dialled again for this attempt. The
    /// provider's events or the watchdog end the call.
    /// </summary>
    /// <param name="Reason">What happened.</param>
    public sealed record Unknown(string Reason) : DialResult;
}

/// <summary>
/// Asks the provider to place a call: the one seam of the orchestrator. It is called at most once for each attempt, after the claim
/// was committed, and must not repeat the request itself: providers have no idempotency key for calls.
/// </summary>
public interface IDialer
{
    /// <summary>Places the call. An exception counts as <see cref="DialResult.Unknown"/>.</summary>
    Task<DialResult> Dial(DialRequest request, CancellationToken cancellation);
}
