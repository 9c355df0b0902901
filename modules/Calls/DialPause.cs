namespace CallOrchestration.Calls;

/// <summary>
/// The circuit of the provider's account on this host: after several failures in a row no call is claimed for a while, then one as a
/// probe; when that goes through all goes on. <c>/health/ready</c> and the summary say why.
/// </summary>
/// <param name="time">Of this host.</param>
/// <param name="shortest">How long it stays open where the provider names no longer time.</param>
public sealed class DialPause(TimeProvider time, TimeSpan shortest)
{
    /// <summary>Failures in a row that open the circuit.</summary>
    public const int FailuresToPause = 5;

    /// <summary>How long the circuit stays open, unless a setting or the provider says otherwise.</summary>
    public static readonly TimeSpan Standard = TimeSpan.FromSeconds(30);

    /// <summary>The longest that it stays open, whatever the provider says.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly Lock gate = new();
    private int failures;
    private string reason = "";
    private DateTimeOffset until;

    /// <summary>Why nothing is dialled now, and until when (UTC); null where dialling goes on.</summary>
    public (string Reason, DateTimeOffset Until)? Now
    {
        get
        {
            lock (gate) return failures >= FailuresToPause && time.GetUtcNow() < until ? (reason, until) : null;
        }
    }

    /// <summary>How many dials may go out: none during the pause, one to try, then as many as you like.</summary>
    public int Room
    {
        get
        {
            lock (gate) return failures < FailuresToPause ? int.MaxValue : time.GetUtcNow() < until ? 0 : 1;
        }
    }

    /// <summary>The provider took a dial, or refused it for a reason of that call.</summary>
    public void Works()
    {
        lock (gate) failures = 0;
    }

    /// <summary>The provider throttled, failed, could not be reached, or refused the account.</summary>
    /// <param name="why">Without a number.</param>
    /// <param name="wait">How long it asks to wait; null where it says nothing.</param>
    public void Fails(string why, TimeSpan? wait)
    {
        lock (gate)
        {
            failures++;
            reason = why;
            until = time.GetUtcNow() + TimeSpan.FromTicks(Math.Clamp((wait ?? shortest).Ticks, shortest.Ticks, Longest.Ticks));
        }
    }
}
