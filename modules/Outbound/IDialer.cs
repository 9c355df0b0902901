namespace CallOrchestration.Outbound;

/// <summary>One dial: one attempt of one call.</summary>
/// <param name="CallId">Our name for the call; the provider hands it back as CustomField.</param>
/// <param name="OrganizationId">Whose call it is.</param>
/// <param name="Attempt">1, or 2 for the retry.</param>
/// <param name="From">The call's own caller, E.164.</param>
/// <param name="To">The number to dial, E.164.</param>
/// <param name="ExoPhone">The organization's number at the provider, E.164.</param>
/// <param name="Signature">Signs the callback URL of this attempt.</param>
/// <param name="Connect">What the customer is connected with; null: what the settings say.</param>
public sealed record DialRequest(
    Guid CallId, Guid OrganizationId, int Attempt, string From, string To, string ExoPhone, string Signature, CallConnection? Connect = null)
{
    /// <summary>
    /// Whether the request may still leave. To be asked at the last moment that the protocol has, when the connection is there and not one
    /// byte is out: a host may stand still at any time before, and its call be given up meanwhile.
    /// </summary>
    public Func<bool> MayLeave { get; init; } = () => true;
}

/// <summary>An attempt that nobody told the end of.</summary>
/// <param name="CallId">The call.</param>
/// <param name="To">The number that was dialled, E.164.</param>
/// <param name="ProviderCallId">The provider's name for the attempt; null: it was never learnt.</param>
/// <param name="StartedAt">When it was dialled, UTC.</param>
/// <param name="SidsOfOthers">Of some names, those that belong to other calls of ours, or to an earlier attempt.</param>
/// <param name="OthersAreLost">Another call of ours to this number, of about the same time, has no name either.</param>
public sealed record LookUpRequest(
    Guid CallId, string To, string? ProviderCallId, DateTime StartedAt,
    Func<IReadOnlyCollection<string>, Task<IReadOnlySet<string>>> SidsOfOthers, bool OthersAreLost);

/// <summary>What the provider itself says of an attempt.</summary>
public abstract record LookUpResult
{
    private LookUpResult()
    {
    }

    /// <summary>It is over, and this is how; or it was answered and goes on.</summary>
    /// <param name="News">Applied as if the provider had sent it.</param>
    public sealed record Told(ProviderEvent News) : LookUpResult;

    /// <summary>It has not ended, or the provider cannot be asked now: to be asked again.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Later(string Reason) : LookUpResult;

    /// <summary>The provider knows nothing of it, or more than one call could be it.</summary>
    /// <param name="Reason">Why.</param>
    public sealed record Nothing(string Reason) : LookUpResult;
}

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
    public sealed record NotSent(string Reason, TimeSpan? RetryAfter = null) : DialResult
    {
        /// <summary>It was no longer to leave (<see cref="DialRequest.MayLeave"/>): the provider has nothing to do with it.</summary>
        public static readonly NotSent TooLate = new("the host was too slow to dial", TimeSpan.Zero);
    }

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

    /// <summary>How many dials the provider takes at this moment; what cannot be dialled is not claimed.</summary>
    int Room => int.MaxValue;

    /// <summary>Whether the provider can be asked what became of a call.</summary>
    bool KeepsRecord => false;

    /// <summary>Asks the provider what became of an attempt, before it is given up. An exception counts as <see cref="LookUpResult.Later"/>.</summary>
    Task<LookUpResult> LookUp(LookUpRequest request, CancellationToken cancellation) =>
        Task.FromResult<LookUpResult>(new LookUpResult.Nothing("this dialler keeps no record"));
}
