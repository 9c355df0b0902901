using System.Text.Json.Serialization;
using CallOrchestration.Calls;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace CallOrchestration.Host;

internal static class Health
{
    // Longer than a connection takes to give up, and short enough for whoever asks.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(8);

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => TypedResults.Ok(new State("live")))
            .WithName("Live")
            .WithTags("Health")
            .WithSummary("The process runs.");
        routes.MapGet("/health/ready", Ready)
            .WithName("Ready")
            .WithTags("Health")
            .WithSummary("The host can do its work: a call can be written and read back.")
            .WithDescription("Inserts an organization and a call, reads the call and leaves nothing behind. 503 says why it cannot.");
    }

    /// <param name="Status">live or ready.</param>
    /// <param name="Dialer">Who places this host's calls: Fake places none; Exotel at an address.</param>
    /// <param name="DialingPaused">Why nothing is dialled at present though the host is ready; null where it dials.</param>
    internal sealed record State(
        string Status,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Dialer = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? DialingPaused = null);

    private static async Task<Results<Ok<State>, ProblemHttpResult>> Ready(
        RequestDatabase database, IConfiguration configuration, DialPause pause, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            await Readiness.Prove(database, cancellation).WaitAsync(Longest, time, cancellation);
            return TypedResults.Ok(new State("ready", HostCommand.Dialer(configuration), pause.Now?.Reason));
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException)
        {
            return Problems.Of(StatusCodes.Status503ServiceUnavailable, "The host is not ready.", $"The database cannot be written and read ({DatabaseAway.Reason(error)}).");
        }
    }
}
