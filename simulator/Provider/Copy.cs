using CallOrchestration.Simulator.Exotel;

namespace CallOrchestration.Simulator.Provider;

/// <summary>One copy of a callback on its way to the client: when it leaves, where to, and in which state it arrives.</summary>
internal sealed record Copy(TimeSpan Delay)
{
    /// <summary>A client with several hosts: the one that gets it. Null: whichever.</summary>
    public int? Door { get; init; }

    /// <summary>Null: as the client asked for.</summary>
    public Wire? Wire { get; init; }

    /// <summary>Only the first half of the body arrives.</summary>
    public bool Half { get; init; }

    /// <summary>With fields and words that nobody documents, and with nulls.</summary>
    public bool Strange { get; init; }

    /// <summary>Says something that nobody has heard of where the call's state should be.</summary>
    public bool UnheardOf { get; init; }

    /// <summary>For the carrier of a request.</summary>
    public static readonly HttpRequestOptionsKey<int> DoorKey = new("door");
}
