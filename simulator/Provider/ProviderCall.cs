using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>Where a call is. Replaced as a whole, so that a look-up never sees half a change.</summary>
internal sealed record CallState(string Status, DateTimeOffset Updated)
{
    public DateTimeOffset? Ended { get; init; }
    public int TalkSeconds { get; init; }

    /// <summary>From the first leg's answer to the end, with the second leg's ringing; as told, not as shortened.</summary>
    public int FirstLegSeconds { get; init; }
}

/// <summary>A call that was accepted.</summary>
internal sealed class ProviderCall(ConnectRequest asked, Script script, int sequence, int dial, DateTimeOffset created)
{
    private int _deliveries;
    private int _lookUps;
    private volatile CallState _state = new("in-progress", created);

    public ConnectRequest Asked { get; } = asked;
    public Script Script { get; } = script;

    /// <summary>The order of acceptance; the list's pages go by it.</summary>
    public int Sequence { get; } = sequence;

    /// <summary>1 for the first dial of this number and CustomField.</summary>
    public int Dial { get; } = dial;
    public Line Line { get; } = new(Line.NewCallSid(), asked.From, asked.CallerId, created);

    public string Sid => Line.CallSid;
    public DateTimeOffset Created => Line.Began;
    public string Ending => Script.EndingOf(Dial);

    /// <summary>Two numbers are two legs; a flow or a stream is no leg.</summary>
    public int Legs => Asked.To is null ? 1 : 2;

    /// <summary>With a flow, the second number of the call is the ExoPhone itself.</summary>
    public string To => Asked.To ?? Asked.CallerId;

    public string? RecordingUrl => Asked.Records && State.TalkSeconds > 0 ? $"https://recordings.example.com/{Sid}.mp3" : null;

    public CallState State
    {
        get => _state;
        set => _state = value;
    }

    /// <summary>Counts one look-up, writes it down, and says what it sees.</summary>
    /// <returns>The error's HTTP status, or the state that is shown.</returns>
    public (int? Error, CallState State) LookUp(Ledger ledger)
    {
        var number = Interlocked.Increment(ref _lookUps);
        int? error = Script.Forgotten ? 404 : number <= Script.FailingLookUps ? 500 : null;
        var state = number - Script.FailingLookUps <= Script.StaleLookUps ? new("in-progress", Created) : State;
        ledger.Write(Entry(LedgerKind.LookUp) with { From = Asked.From, Status = error is null ? state.Status : null, HttpStatus = error ?? 200 });
        return (error, state);
    }

    public int NextDelivery() => Interlocked.Increment(ref _deliveries);

    public LedgerEntry Entry(string kind) => new()
    {
        Kind = kind,
        CallSid = Sid,
        CustomField = Asked.CustomField,
        Attempt = Asked.Attempt,
        Script = Script.Name,
    };
}
