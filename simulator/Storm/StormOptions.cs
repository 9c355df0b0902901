namespace CallOrchestration.Simulator.Storm;

/// <summary>What the command line asked for.</summary>
internal sealed record StormOptions
{
    public required int Seed { get; init; }

    /// <summary>How many storms, with this seed and the ones after it.</summary>
    public int Seeds { get; init; } = 1;
    public int Calls { get; init; } = 100;
    public int Hosts { get; init; } = 2;

    /// <summary>Faults of hosts and database; those of the provider belong to the calls.</summary>
    public int Faults { get; init; } = 20;

    /// <summary>The places where hosts are struck; empty: all.</summary>
    public IReadOnlyList<string> Failpoints { get; init; } = [];

    /// <summary>The first host that is killed is not started again.</summary>
    public bool OneStaysDead { get; init; }

    /// <summary>All storms on the same hosts, of which none is killed: what they leave behind adds up.</summary>
    public bool Soak { get; init; }

    /// <summary>Ends with the first storm that does not hold.</summary>
    public bool UntilBroken { get; init; }
    public FileInfo? Report { get; init; }

    /// <summary>Keeps logs and ledger here; else they go with the run.</summary>
    public DirectoryInfo? Keep { get; init; }

    /// <summary>The host's DLL; null: the one built beside this simulator.</summary>
    public FileInfo? Host { get; init; }
}

/// <summary>The hosts' waits, shortened so that a storm sees the end of all of them.</summary>
internal static class StormTimes
{
    /// <summary>Ringing, talking and the provider's own waits go by so many times faster than life.</summary>
    public const double Speed = 20;

    public const int Organizations = 3;

    /// <summary>Calls that are created in a second, while they are.</summary>
    private const double CallsPerSecond = 40;

    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(4);
    public static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(6);
    public static readonly TimeSpan LookUpInterval = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan DialPause = TimeSpan.FromSeconds(1);

    /// <summary>So often the host asks about a call of which nobody tells the end.</summary>
    public const int LookUps = 5;

    /// <summary>Longer than the deadline of a dial.</summary>
    public static readonly TimeSpan Pause = AnswerTimeout + TimeSpan.FromSeconds(1.5);

    /// <summary>The same; and where a dial is still to leave, longer than its call lasts without it.</summary>
    public static TimeSpan FreezeAt(string failpoint) =>
        failpoint is "after-claim" or "before-send" ? AnswerTimeout + ((LookUps + 1) * (LookUpInterval + Interval)) : Pause;

    /// <summary>From the last time that somebody acted on a call, or the last fault, to its end at the latest: both attempts wait for all they can.</summary>
    public static readonly TimeSpan LongestEnd = 2 * (AnswerTimeout + CallTimeout + LookUps * LookUpInterval) + RetryDelay + TimeSpan.FromSeconds(10);

    /// <summary>How long the calls of a storm are being created.</summary>
    public static TimeSpan Window(int calls) => TimeSpan.FromSeconds(Math.Max(8, calls / CallsPerSecond));
}
