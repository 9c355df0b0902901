using System.Globalization;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What the client does with a call.</summary>
internal enum CallKind
{
    /// <summary>Outbound, due at once.</summary>
    Now,

    /// <summary>Outbound, due a while after it was created.</summary>
    Delayed,

    /// <summary>Outbound, due at the same moment as all of its kind.</summary>
    Burst,

    /// <summary>Delayed, and called off near its time.</summary>
    Cancelled,

    /// <summary>Delayed, and its time is moved.</summary>
    Moved,

    /// <summary>Created without a time, and dialled when the client says so.</summary>
    Held,

    Inbound,

    /// <summary>After the storm: created and dialled by one certain host, to see whether it still works.</summary>
    Probe,
}

/// <summary>What becomes of one callback.</summary>
internal enum Fate
{
    Plain,
    Copies,
    Twins,

    /// <summary>Seconds after it should have come; an answer that is late comes behind the end.</summary>
    Late,
    Dropped,
    Half,
    OtherType,
    Strange,
}

/// <summary>One call of a plan. Times are from the storm's beginning.</summary>
internal sealed record PlannedCall(int Number, CallKind Kind, int Organization, string Customer)
{
    public TimeSpan CreatedAt { get; init; }
    public TimeSpan DueAt { get; init; }

    /// <summary>When the client cancels, moves or dials it.</summary>
    public TimeSpan ActsAt { get; init; }
    public TimeSpan MovedTo { get; init; }

    /// <summary>Of a probe: the host.</summary>
    public int Door { get; init; }

    /// <summary>How often the client sends its request at once, with one Idempotency-Key; 0: once and without.</summary>
    public int Requests { get; init; }
    public required Script Script { get; init; }
    public Fate Answered { get; init; }
    public Fate Terminal { get; init; }

    /// <summary>Of an inbound call: one of <see cref="InboundStory.Endings"/>.</summary>
    public string InboundEnding { get; init; } = "";

    /// <summary>Of an inbound call: what becomes of its first and of its last step.</summary>
    public Fate FirstStep { get; init; }
    public Fate LastStep { get; init; }

    public bool IsOutbound => Kind != CallKind.Inbound;

    /// <summary>Without a time of its own: the client says when.</summary>
    public bool IsHeld => Kind is CallKind.Held or CallKind.Probe;

    /// <summary>The provider's faults that this call is to meet.</summary>
    public IEnumerable<string> ProviderFaults
    {
        get
        {
            if (!IsOutbound)
            {
                foreach (var fate in new[] { FirstStep, LastStep }.Where(fate => fate != Fate.Plain)) yield return $"applet {Words(fate)}";
                yield break;
            }

            // What is called off meets nobody, if all goes well.
            if (Kind == CallKind.Cancelled) yield break;
            if (Script.Connect != ConnectAnswer.Accepted) yield return $"connect {Words(Script.Connect)}";
            if (Details is { } details) yield return $"details {details}";
            // Where the callbacks come before the answer, somebody waits for them: they come plainly.
            if (!Script.Places || Script.Connect == ConnectAnswer.AfterTheCallbacks) yield break;
            // A call that rings out has no answer to tell of.
            if (Answered != Fate.Plain && Script.EndingOf(1) == "completed") yield return Fault("answered", Answered);
            if (Terminal != Fate.Plain) yield return Fault("terminal", Terminal);
        }
    }

    /// <summary>What is wrong with its details, if anything.</summary>
    public string? Details => Script switch
    {
        { Forgotten: true } => "absent",
        { FailingLookUps: > 0 } => "failing",
        { StaleLookUps: > 0 } => "stale",
        _ => null,
    };

    /// <summary>A name in lower case, its words apart.</summary>
    public static string Words(Enum name) =>
        string.Concat(name.ToString().Select((letter, place) => char.IsUpper(letter) && place > 0 ? $" {char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));

    public static string Fault(string @event, Fate fate) => @event == "answered" && fate == Fate.Late ? "callback reordered" : $"callback {Words(fate)}";

    public Fate FateOf(string @event) =>
        Script.Connect == ConnectAnswer.AfterTheCallbacks ? Fate.Plain : @event == "answered" ? Answered : Terminal;

    /// <summary>The copies in which a callback of this call leaves; the same for the same seed.</summary>
    public IReadOnlyList<Copy> CopiesOf(int seed, int hosts, string @event, int dial)
    {
        var dice = Scripts.Dice(seed, $"{Customer}/{@event}", dial);
        return FateOf(@event) switch
        {
            Fate.Copies => [new(TimeSpan.Zero), .. Enumerable.Range(0, dice.Next(1, 6)).Select(_ => new Copy(Within(dice, 0, 2)))],
            Fate.Twins => [new(TimeSpan.Zero) { Door = 0 }, new(TimeSpan.Zero) { Door = hosts - 1 }],
            Fate.Late => [new(@event == "answered" ? Within(dice, 2.2, 4) : Within(dice, 0.3, 5))],
            Fate.Dropped => [],
            Fate.Half => [new(TimeSpan.Zero) { Half = true, Wire = (Wire)dice.Next(1, 4) }, new(Within(dice, 1, 2))],
            Fate.OtherType => [new(TimeSpan.Zero) { Wire = dice.Next(3) switch { 0 => Wire.UrlEncoded, 1 => Wire.Json, _ => Wire.Query } }],
            Fate.Strange => [new(TimeSpan.Zero) { UnheardOf = true }, new(TimeSpan.Zero) { Strange = true, Wire = dice.Next(2) == 0 ? Wire.Json : Wire.Multipart }],
            _ => [new(TimeSpan.Zero)],
        };
    }

    private static TimeSpan Within(Random dice, double from, double to) => TimeSpan.FromSeconds(from + (dice.NextDouble() * (to - from)));
}

/// <summary>Draws the calls of a plan. What must occur is dealt like cards and not diced, so that no fault is left out by chance.</summary>
internal static class PlannedCalls
{
    private const int InboundShare = 6;
    private const int OddConnectShare = 3;
    private const int OddDetailsShare = 6;

    private static readonly CallKind[] Kinds = [CallKind.Now, CallKind.Delayed, CallKind.Burst, CallKind.Burst, CallKind.Cancelled, CallKind.Moved, CallKind.Held, CallKind.Now, CallKind.Delayed];
    private static readonly string[] Endings = ["completed", "no-answer", "completed", "busy", "completed", "second-attempt", "failed", "completed", "no-answer", "canceled"];
    private static readonly Fate[] Fates = [Fate.Plain, Fate.Copies, Fate.Plain, Fate.Twins, Fate.Plain, Fate.Late, Fate.Plain, Fate.Dropped, Fate.Half, Fate.OtherType, Fate.Strange, Fate.Plain];
    private static readonly Fate[] StepFates = [Fate.Plain, Fate.Twins, Fate.Plain, Fate.Dropped];

    private static readonly ConnectAnswer[] OddConnects =
    [
        ConnectAnswer.AfterTheCallbacks, ConnectAnswer.ServerErrorThoughPlaced, ConnectAnswer.Cut, ConnectAnswer.Never, ConnectAnswer.ThrottledOnce,
        ConnectAnswer.ErrorIn200, ConnectAnswer.BrokenBody, ConnectAnswer.DoNotDisturb, ConnectAnswer.ServerError, ConnectAnswer.BadRequest,
    ];

    private static readonly Func<Script, Script>[] OddDetails =
    [
        script => script with { Forgotten = true },
        script => script with { FailingLookUps = 2 },
        script => script with { StaleLookUps = 1 },
        script => script with { FailingLookUps = int.MaxValue },
        script => script with { StaleLookUps = int.MaxValue },
    ];

    private const int NumbersInReserve = 500;

    public static (IReadOnlyList<PlannedCall> Calls, Queue<string> Reserve) Draw(StormOptions options, Random dice)
    {
        var window = StormTimes.Window(options.Calls);
        var burst = window * 0.6;
        var deck = new Deck(dice);
        var planned = options.Calls + options.Hosts;
        var numbers = Numbers(planned + NumbersInReserve, dice);
        var calls = Enumerable.Range(0, options.Calls).Select(number =>
        {
            var inbound = number % InboundShare == InboundShare - 1;
            var kind = inbound ? CallKind.Inbound : deck.Next(Kinds);
            var created = window * (number / (double)options.Calls);
            if (kind == CallKind.Burst) created = Min(created, burst - TimeSpan.FromSeconds(0.5));
            var due = kind == CallKind.Burst ? burst : created + TimeSpan.FromSeconds(0.3 + (dice.NextDouble() * 3));
            var script = inbound ? Scripts.All[0] : Script(number, kind == CallKind.Cancelled, deck);
            return new PlannedCall(number, kind, dice.Next(StormTimes.Organizations), numbers[number])
            {
                CreatedAt = created,
                DueAt = due,
                // Half of them clearly in time, the others in a race with the dial.
                ActsAt = dice.Next(2) == 0 ? created + ((due - created) / 2) : due + TimeSpan.FromMilliseconds(dice.Next(-20, 20)),
                MovedTo = due + TimeSpan.FromSeconds((dice.NextDouble() * 4) - 1),
                // Whoever must know his call's id to go on with it can only ask with a key.
                Requests = dice.Next(3) == 0 ? dice.Next(1, 6) : kind == CallKind.Held ? 1 : 0,
                Script = script,
                Answered = deck.Next(Fates),
                // Where the details are odd somebody has to ask for them.
                Terminal = script is { Forgotten: false, FailingLookUps: 0, StaleLookUps: 0 } ? deck.Next(Fates) : Fate.Dropped,
                InboundEnding = deck.Next([.. InboundStory.Endings]),
                FirstStep = deck.Next(StepFates),
                LastStep = deck.Next(StepFates),
            };
        }).ToList();
        var probes = Enumerable.Range(0, options.Hosts).Select(door =>
            new PlannedCall(options.Calls + door, CallKind.Probe, 0, numbers[options.Calls + door]) { Door = door, Requests = 1, Script = Scripts.All[0] });
        return ([.. calls, .. probes], new(numbers.Skip(planned)));
    }

    private static Script Script(int number, bool plain, Deck deck)
    {
        var ending = deck.Next(Endings);
        var connect = !plain && number % OddConnectShare == 0 ? deck.Next(OddConnects) : ConnectAnswer.Accepted;
        var script = new Script(number.ToString("0000", CultureInfo.InvariantCulture), $"{ending}, {PlannedCall.Words(connect)}", "")
        {
            Ending = ending == "second-attempt" ? "completed" : ending,
            RingsOutFirst = ending == "second-attempt",
            Connect = connect,
            Short = connect == ConnectAnswer.AfterTheCallbacks,
        };
        return !plain && connect == ConnectAnswer.Accepted && number % OddDetailsShare == 1 ? deck.Next(OddDetails)(script) : script;
    }

    // Ten different digits each, of which none is in another: a log is searched for them.
    private static IReadOnlyList<string> Numbers(int count, Random dice)
    {
        var numbers = new HashSet<string>();
        while (numbers.Count < count) numbers.Add($"+919{dice.Next(100_000_000, 1_000_000_000).ToString(CultureInfo.InvariantCulture)}");
        return [.. numbers];
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other < TimeSpan.Zero ? TimeSpan.Zero : other;

    /// <summary>Deals each list of cards to its end, in a drawn order, before it shuffles it again.</summary>
    private sealed class Deck(Random dice)
    {
        private readonly Dictionary<object, Queue<object>> _left = [];

        public T Next<T>(T[] cards)
            where T : notnull
        {
            // The endings of inbound calls come as a new array each time.
            object key = cards is string[] ? string.Join(',', cards) : cards;
            if (!_left.TryGetValue(key, out var left) || left.Count == 0)
            {
                var shuffled = cards.Cast<object>().ToArray();
                dice.Shuffle(shuffled);
                _left[key] = left = new(shuffled);
            }

            return (T)left.Dequeue();
        }
    }
}
