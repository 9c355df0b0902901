namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>What the command line asked for. Not a record: a record's text would show the key and the token.</summary>
internal sealed class LifecycleOptions
{
    public required Uri Url { get; init; }
    public required string Key { get; init; }
    public required string WebhookToken { get; init; }
    public required string? Database { get; init; }
    public required int Seed { get; init; }

    /// <summary>How many times faster than life the ringing and the talking go by.</summary>
    public required double Speed { get; init; }
    public required FileInfo? Report { get; init; }

    /// <summary>The longest wait for any one thing that the host has to do.</summary>
    public required TimeSpan Patience { get; init; }
}
