using System.Globalization;
using CallOrchestration.Simulator.Exotel;
using Microsoft.AspNetCore.WebUtilities;

namespace CallOrchestration.Simulator.Provider;

/// <summary>A request to place a call. Numbers are E.164 here, whatever spelling was sent.</summary>
internal sealed record ConnectRequest
{
    /// <summary>The number dialled first: the person called.</summary>
    public required string From { get; init; }

    /// <summary>The second number, or null where a flow or a stream takes the call.</summary>
    public string? To { get; init; }
    public required string CallerId { get; init; }
    public string? CustomField { get; init; }

    /// <summary>Seconds; null where not limited.</summary>
    public int? TimeLimit { get; init; }

    /// <summary>Seconds of ringing; null for the provider's own 30.</summary>
    public int? TimeOut { get; init; }
    public bool Records { get; init; }
    public Uri? StatusCallback { get; init; }
    public bool WantsAnswered { get; init; }
    public bool WantsTerminal { get; init; }
    public Wire Wire { get; init; }

    /// <summary>Fields that mean nothing to Exotel, mostly misspelt ones: it says nothing about them, so the screen does.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>The client's own count of attempts, if its callback address has one.</summary>
    public int? Attempt => StatusCallback is { } url && QueryHelpers.ParseQuery(url.Query).TryGetValue("attempt", out var text)
        && int.TryParse(text, CultureInfo.InvariantCulture, out var attempt) ? attempt : null;
}
