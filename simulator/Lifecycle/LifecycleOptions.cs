namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>What the command line asked for. Not a record: a record's text would show the key and the token.</summary>
internal sealed class LifecycleOptions
{
    public required Uri Url { get; init; }

    /// <summary>The other side, where it is the fake Exotel; null: the host's fake dialler, and callbacks from here.</summary>
    public required ExotelSide? Exotel { get; init; }
    public required string Key { get; init; }
    public required string WebhookToken { get; init; }
    public required string? Database { get; init; }
    public required int Seed { get; init; }

    /// <summary>How many times faster than life the ringing and the talking go by.</summary>
    public required double Speed { get; init; }
    public required FileInfo? Report { get; init; }

    /// <summary>The longest wait for any one thing that the host has to do.</summary>
    public required TimeSpan Patience { get; init; }

    /// <summary>The same against another host.</summary>
    public LifecycleOptions Against(Uri url, string? database) => new()
    {
        Url = url,
        Database = database,
        Exotel = Exotel,
        Key = Key,
        WebhookToken = WebhookToken,
        Seed = Seed,
        Speed = Speed,
        Report = Report,
        Patience = Patience,
    };
}

/// <summary>How the fake Exotel is played.</summary>
/// <param name="HostRuns">A host runs already, at <c>--url</c>; else one is started.</param>
/// <param name="Port">Null: the usual one for a host that runs, a free one for our own.</param>
/// <param name="Ledger">Null: it goes with the run.</param>
internal sealed record ExotelSide(bool HostRuns, int? Port, FileInfo? Ledger);
