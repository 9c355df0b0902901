namespace CallOrchestration.Simulator.Provider;

/// <summary>How the fake Exotel behaves. Not a record: a record's text would show the key and the token.</summary>
internal sealed class ExotelOptions
{
    /// <summary>On loopback only. 0 takes a free one; <see cref="ExotelServer.Address"/> tells which.</summary>
    public int Port { get; init; } = 5090;

    /// <summary>Draws the scripts of numbers that name none, and how long people ring and talk.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How many times faster than life ringing, talking, settling and the waits between deliveries go by.</summary>
    public double Speed { get; init; } = 10;

    public string Ledger { get; init; } = "exotel-ledger.jsonl";

    public string Account { get; init; } = "demo";
    public string Key { get; init; } = "demo-exotel-key";
    public string Token { get; init; } = "demo-exotel-token";

    /// <summary>Dials and look-ups together, in any 60 seconds of real time: the client's own limiter knows no other minute.</summary>
    public int CallsPerMinute { get; init; } = 200;

    /// <summary>Where the flow of an answered call asks, as its Passthru applet does. Null: it asks nobody.</summary>
    public Uri? VoiceUrl { get; init; }

    /// <summary>How long a callback may stay without an answer. Never shortened by <see cref="Speed"/>: the client is not faster than life.</summary>
    public TimeSpan WebhookTimeout { get; init; } = TimeSpan.FromSeconds(15);

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What happens to a call to this number; null: what the number or the seed says.</summary>
    public Func<string, Script>? ScriptOf { get; init; }

    /// <summary>In which copies a callback (call, event) is delivered; null: in one, at once. None: it is lost.</summary>
    public Func<ProviderCall, string, IReadOnlyList<Copy>>? CopiesOf { get; init; }

    /// <summary>Told of each call that was accepted, after its line in the ledger and before its answer; the answer waits for it.</summary>
    public Func<ProviderCall, Task>? Accepted { get; init; }

    /// <summary>Sends the callbacks; null: straight to where they are addressed.</summary>
    public HttpMessageHandler? Carrier { get; init; }

    /// <summary>Told of each line of the ledger.</summary>
    public Action<LedgerEntry>? Written { get; init; }

    /// <summary>Whether each line is on the disk before its effect is seen. Only where nothing kills this process may it be left to the system.</summary>
    public bool DurableLedger { get; init; } = true;

    /// <summary>Takes one line for each dial and callback. It never holds a credential or a whole number.</summary>
    public Action<string> Say { get; init; } = _ => { };
}
