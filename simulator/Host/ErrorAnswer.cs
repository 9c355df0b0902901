using System.Net;
using System.Text.Json;

namespace CallOrchestration.Simulator.Host;

/// <summary>What an answer that is an error says about itself, in as few words as it has.</summary>
internal static class ErrorAnswer
{
    private sealed record Problem(string? Title, string? Detail, Dictionary<string, string[]>? Errors);

    // The likeliest reason for a call that is there on one side of the host only.
    private const string OneOrganization = "; do --key and --webhook-token belong to the same organization?";

    /// <summary>Such as "409 (the reason)".</summary>
    public static string Describe(HttpStatusCode status, string body) =>
        $"{(int)status}{Reason(body)}{(status == HttpStatusCode.NotFound ? OneOrganization : "")}";

    /// <summary>" (the reason)", or nothing where none is given.</summary>
    public static string Reason(string body)
    {
        try
        {
            return JsonSerializer.Deserialize<Problem>(body, ApiReply.SnakeCase) switch
            {
                { Errors: { Count: > 0 } errors } =>
                    $" ({string.Join("; ", errors.Select(field => $"{field.Key} {string.Join(", ", field.Value)}"))})",
                { Detail: { } detail } => $" ({detail.TrimEnd('.')})",
                { Title: { } title } => $" ({title.TrimEnd('.')})",
                _ => "",
            };
        }
        catch (JsonException)
        {
            return ""; // not the host's own answer, perhaps a proxy's page
        }
    }
}
