namespace CallOrchestration.Simulator.Provider;

/// <summary>An error as Exotel words it. The messages are those of its documentation and of captured answers, where there is one.</summary>
internal sealed record RestException(int Status, string Message)
{
    public string? Code { get; init; }

    /// <summary>Whole seconds.</summary>
    public int? RetryAfter { get; init; }

    public static RestException WrongCredentials => new(401, "Authentication failed. Check your API key and token.");

    public static RestException NotFound(string what) => new(404, $"The requested resource {what} was not found.");

    public static RestException Invalid(string message) => new(400, message);

    public static RestException DoNotDisturb(string number) => new(403, $"Call to [{number}] cannot be made because of TRAI NDNC regulations");

    public static RestException TooMany(int retryAfter) => new(429, $"Rate limit exceeded. Try again in {retryAfter} seconds.")
    {
        Code = "RATE_LIMIT_EXCEEDED",
        RetryAfter = retryAfter,
    };

    public static RestException Internal => new(500, "Something went wrong. Please try again later.");
}
