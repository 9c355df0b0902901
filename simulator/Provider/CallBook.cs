using System.Collections.Concurrent;

namespace CallOrchestration.Simulator.Provider;

/// <summary>All calls of the account, and what was asked for before.</summary>
internal sealed class CallBook
{
    private readonly ConcurrentDictionary<string, ProviderCall> _bySid = new();
    private readonly ConcurrentDictionary<(string From, string? CustomField), int> _dials = new();
    private readonly ConcurrentDictionary<(string From, string? CustomField), bool> _throttled = new();
    private int _sequence;

    /// <summary>A new call. Nobody can look it up before <see cref="Enter"/>.</summary>
    public ProviderCall Open(ConnectRequest asked, Script script, DateTimeOffset now) => new(
        asked, script, Interlocked.Increment(ref _sequence), _dials.AddOrUpdate((asked.From, asked.CustomField), 1, (_, dials) => dials + 1), now);

    public void Enter(ProviderCall call) => _bySid[call.Sid] = call;

    /// <summary>True once for each number and CustomField.</summary>
    public bool FirstTime(ConnectRequest asked) => _throttled.TryAdd((asked.From, asked.CustomField), true);

    public ProviderCall? Find(string sid) => _bySid.GetValueOrDefault(sid);

    public IEnumerable<ProviderCall> All() => _bySid.Values;
}
