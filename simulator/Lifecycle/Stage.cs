using System.Net;
using Bogus;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>
/// What one scenario plays on: the host's API, the provider's side of the wire, made-up people, and a record of what was played.
/// </summary>
internal sealed class Stage
{
    // Short beside everything that is waited for, and still a light load with every scenario waiting at once.
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(150);

    private readonly Lock _lock = new();
    private readonly List<(string Word, int Times)> _played = [];
    private readonly List<PlayedCall> _calls = [];

    public Stage(Scenario scenario, LifecycleOptions options, HostApi host, Deliveries provider, CallRows? rows, CancellationToken cancellation)
    {
        (Scenario, Options, Host, Provider, Rows, Cancellation) = (scenario, options, host, provider, rows, cancellation);
        Faker = new Faker("en_IND") { Random = new Randomizer(SeedFor(options.Seed, scenario.Name)) };
    }

    public Scenario Scenario { get; }
    public LifecycleOptions Options { get; }
    public HostApi Host { get; }
    public Deliveries Provider { get; }
    public CallRows? Rows { get; }
    public CancellationToken Cancellation { get; }
    public Faker Faker { get; }

    /// <summary>What is going on just now, for the screen.</summary>
    public string Doing { get; set; } = "";

    public IReadOnlyList<PlayedCall> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public string Played
    {
        get
        {
            lock (_lock)
            {
                return string.Join(", ", _played.Select(step => step.Times > 1 ? $"{step.Word} ×{step.Times}" : step.Word));
            }
        }
    }

    public void Note(string word)
    {
        lock (_lock)
        {
            if (_played.Count > 0 && _played[^1].Word == word)
            {
                _played[^1] = (word, _played[^1].Times + 1);
            }
            else
            {
                _played.Add((word, 1));
            }
        }
    }

    public void Enter(PlayedCall call)
    {
        lock (_lock)
        {
            _calls.Add(call);
        }
    }

    /// <summary>An Indian mobile number that belongs to this scenario and seed.</summary>
    public string MadeUpNumber() => Faker.Random.ReplaceNumbers("+919#########");

    public string MadeUpRecording() => $"https://recordings.example.com/{Faker.Random.AlphaNumeric(12)}.mp3";

    /// <summary>Somebody rings an ExoPhone: the provider has the call, the host has not heard of it yet.</summary>
    public InboundCall RingsIn() => new(this);

    /// <summary>Asks the host for an outbound call, due at the given time or at once.</summary>
    public async Task<OutboundCall> Create(DateTimeOffset? nextActionAt = null)
    {
        var request = OutboundRequest.MakeUp(this, nextActionAt);
        var reply = await Host.Create("api/calls/outbound", request.Body, null, Cancellation);
        return new OutboundCall(this, request, reply.As<CallView>(HttpStatusCode.Created));
    }

    /// <summary>Lets so many seconds of the callers' lives go by, at the speed asked for.</summary>
    public async Task Live(string doing, double seconds)
    {
        Doing = doing;
        await Task.Delay(TimeSpan.FromSeconds(seconds / Options.Speed), Cancellation);
    }

    /// <summary>Looks until the call is as awaited. Patience starts now, or when the call becomes due.</summary>
    public async Task<CallView> Until(Guid id, string awaited, Func<CallView, bool> holds, DateTimeOffset? notBefore = null)
    {
        Doing = $"waits: {awaited}";
        var start = notBefore is { } later && later > DateTimeOffset.UtcNow ? later : DateTimeOffset.UtcNow;
        while (true)
        {
            var call = await Host.Get(id, Cancellation);
            if (holds(call))
            {
                return call;
            }

            if (DateTimeOffset.UtcNow - start > Options.Patience)
            {
                throw new ScenarioFailed($"{awaited} within {Options.Patience.TotalSeconds:0.#} s", $"still {Ending.Of(call)}");
            }

            await Task.Delay(BetweenLooks, Cancellation);
        }
    }

    public static void Holds(bool condition, string expected, string found)
    {
        if (!condition)
        {
            throw new ScenarioFailed(expected, found);
        }
    }

    // Each scenario draws from its own source, so that what it draws does not depend on what plays beside it. FNV-1a, because the
    // hash codes of .NET differ from run to run.
    private static int SeedFor(int seed, string name) =>
        unchecked((int)name.Aggregate(2166136261u ^ (uint)seed, (hash, letter) => (hash ^ letter) * 16777619u));
}
