using System.Globalization;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What is done to a host, or to what lies between it and the database.</summary>
internal enum FaultKind
{
    /// <summary>kill -9, at a failpoint.</summary>
    Kill,

    /// <summary>One operation waits for longer than the deadline of a dial, and goes on.</summary>
    Pause,

    /// <summary>The whole process stands still for as long, and goes on.</summary>
    Freeze,

    /// <summary>An error out of nowhere.</summary>
    Throw,

    /// <summary>All of the host's connections to the database are cut.</summary>
    Cut,

    /// <summary>PostgreSQL is stopped as by a crash, and started again.</summary>
    DatabaseCrash,

    /// <summary>Some backends are terminated.</summary>
    Terminate,

    /// <summary>A connection is cut before a commit reaches the server.</summary>
    CutBeforeCommit,

    /// <summary>A connection is cut when a commit has taken effect, before its answer arrives.</summary>
    CutAfterCommit,

    /// <summary>All connections of a host's pool are held up for seconds.</summary>
    PoolFull,

    /// <summary>Rows of calls are locked for seconds.</summary>
    Lock,

    /// <summary>A transaction stays open to the end.</summary>
    OldTransaction,
}

/// <summary>One fault. Either at the n-th time that hosts come past a failpoint, or at a time from the storm's beginning.</summary>
internal sealed record PlannedFault(int Number, FaultKind Kind)
{
    public string? Failpoint { get; init; }

    /// <summary>1 and up, counted over all hosts.</summary>
    public int Hit { get; init; }
    public TimeSpan At { get; init; }

    /// <summary>How long it lasts, where that is drawn.</summary>
    public TimeSpan Lasts { get; init; }

    /// <summary>Chooses among hosts, backends or rows.</summary>
    public int Draw { get; init; }

    public string Name => PlannedCall.Words(Kind);

    public string Describe() => Failpoint is not null
        ? string.Create(CultureInfo.InvariantCulture, $"host      {Name} at {Failpoint}, hit {Hit}")
        : string.Create(CultureInfo.InvariantCulture, $"database  {Name} at {At.TotalSeconds:0.0} s");
}

internal static class PlannedFaults
{
    /// <summary>The places of the host where it can be struck, and how often a storm of 100 calls surely comes past.</summary>
    public static readonly IReadOnlyDictionary<string, int> Failpoints = new Dictionary<string, int>
    {
        ["after-claim"] = 6,
        ["before-send"] = 30,
        ["after-send"] = 25,
        ["after-response"] = 25,
        ["before-record-commit"] = 12,
        ["during-record-commit"] = 12,
        ["after-record-commit"] = 12,
        ["before-webhook-commit"] = 50,
        ["after-webhook-commit"] = 50,
        ["retry-decision"] = 8,
        ["in-watchdog"] = 3,
    };

    private static readonly FaultKind[] AtHosts = [FaultKind.Kill, FaultKind.Pause, FaultKind.Throw, FaultKind.Kill, FaultKind.Cut, FaultKind.Freeze];

    private static readonly FaultKind[] AtDatabase =
    [
        FaultKind.OldTransaction, FaultKind.DatabaseCrash, FaultKind.CutAfterCommit, FaultKind.CutBeforeCommit, FaultKind.Terminate, FaultKind.PoolFull, FaultKind.Lock,
    ];

    /// <summary>How many faults of a number strike hosts.</summary>
    public static int AtHostsOf(int faults) => Math.Min(faults, (faults * 3 / 5) + 1);

    /// <summary>How many faults these places surely see in a storm of so many calls.</summary>
    public static int Room(IEnumerable<string> places, int calls) => places.Distinct().Sum(place => Hits(place, calls));

    /// <summary>Three fifths strike hosts, the others the database; each place and kind once before any comes twice.</summary>
    public static IReadOnlyList<PlannedFault> Draw(StormOptions options, Random dice)
    {
        var window = StormTimes.Window(options.Calls);
        var kinds = options.Soak ? AtHosts.Where(kind => kind is not FaultKind.Kill).ToArray() : AtHosts;
        var atHosts = AtHostsOf(options.Faults);
        var faults = new List<PlannedFault>();
        var hits = (options.Failpoints.Count > 0 ? options.Failpoints : [.. Failpoints.Keys]).Distinct()
            .ToDictionary(place => place, place => new Queue<int>(Shuffled(Enumerable.Range(1, Hits(place, options.Calls)), dice)));
        var (place, kind) = (new List<string>(), new List<FaultKind>());
        for (var number = 0; number < atHosts; number++)
        {
            if (place.Count == 0) place = Shuffled(hits.Where(left => left.Value.Count > 0).Select(left => left.Key), dice);
            if (kind.Count == 0) kind = Shuffled(kinds, dice);
            faults.Add(new(number, kind[0]) { Failpoint = place[0], Hit = hits[place[0]].Dequeue(), Draw = dice.Next() });
            place.RemoveAt(0);
            kind.RemoveAt(0);
        }

        for (var number = atHosts; number < options.Faults; number++)
        {
            var what = AtDatabase[(number - atHosts) % AtDatabase.Length];
            faults.Add(new(number, what)
            {
                At = what == FaultKind.OldTransaction ? TimeSpan.FromSeconds(0.5) : window * (0.1 + (dice.NextDouble() * 0.75)),
                Lasts = TimeSpan.FromSeconds(what == FaultKind.DatabaseCrash ? 0.2 + dice.NextDouble() : 1 + (dice.NextDouble() * 2)),
                Draw = dice.Next(),
            });
        }

        return faults;
    }

    // The more calls, the further in; but never further than a storm of that size comes.
    private static int Hits(string place, int calls) => Math.Max(1, Failpoints[place] * Math.Min(calls, 300) / 100);

    private static List<T> Shuffled<T>(IEnumerable<T> cards, Random dice)
    {
        var shuffled = cards.ToArray();
        dice.Shuffle(shuffled);
        return [.. shuffled];
    }
}
