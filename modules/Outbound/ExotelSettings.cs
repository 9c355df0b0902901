namespace CallOrchestration.Outbound;

/// <summary>The account that calls are placed through. Settings <c>Dialer__Exotel__…</c>.</summary>
/// <param name="BaseUrl">Of the API, such as https://api.exotel.com.</param>
/// <param name="AccountSid">The account.</param>
/// <param name="ApiKey">Basic authentication's user.</param>
/// <param name="ApiToken">Basic authentication's password.</param>
/// <param name="CallerId">The ExoPhone that calls, E.164; null: each organization's own.</param>
/// <param name="PublicUrl">Where the provider reaches our webhooks.</param>
/// <param name="Connect">What a customer who answers is connected with, where the call itself says nothing else.</param>
/// <param name="RequestsPerMinute">What the account allows, dials and look-ups together; 200 unless Exotel has raised it.</param>
internal sealed record ExotelSettings(
    Uri BaseUrl, string AccountSid, string ApiKey, string ApiToken, string? CallerId, Uri PublicUrl, CallConnection Connect, int RequestsPerMinute)
{
    private const string Section = "Dialer:Exotel";

    /// <summary>Every setting of the account.</summary>
    public static IEnumerable<string> Names { get; } =
        ((string[])["BaseUrl", "AccountSid", "ApiKey", "ApiToken", "CallerId", "PublicUrl", "FlowUrl", "StreamUrl", "ConnectTo", "RequestsPerMinute"]).Select(name => $"{Section}:{name}");

    /// <exception cref="SettingException">One is missing or makes no sense, or two contradict each other.</exception>
    public static ExotelSettings From(Settings settings)
    {
        var connect = new CallConnection(
            Url(settings, "FlowUrl", "http", "https")?.AbsoluteUri,
            Url(settings, "StreamUrl", "ws", "wss")?.AbsoluteUri,
            Number(settings, "ConnectTo"));
        if (!connect.IsOne)
        {
            throw new SettingException(
                $"{Section}:FlowUrl",
                "or Dialer__Exotel__StreamUrl or Dialer__Exotel__ConnectTo is needed, and only one of them: what a customer who answers is connected with");
        }

        return new(
            Url(settings, "BaseUrl", "http", "https") ?? throw Missing("BaseUrl", "the address of Exotel's API, such as https://api.exotel.com"),
            Required(settings, "AccountSid"),
            Required(settings, "ApiKey"),
            Required(settings, "ApiToken"),
            Number(settings, "CallerId"),
            Url(settings, "PublicUrl", "http", "https")
                ?? throw Missing("PublicUrl", "the address at which Exotel reaches this host's webhooks, such as https://calls.example.com"),
            connect,
            settings.Count($"{Section}:RequestsPerMinute", 200, 1, 100_000));
    }

    private static string Required(Settings settings, string name) =>
        settings.Text($"{Section}:{name}") ?? throw Missing(name, "what the account's page at Exotel shows");

    private static SettingException Missing(string name, string takes) =>
        new($"{Section}:{name}", $"is missing: with Dialer__Provider=Exotel it takes {takes}");

    private static Uri? Url(Settings settings, string name, params string[] schemes)
    {
        if (settings.Text($"{Section}:{name}") is not { } text) return null;
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && schemes.Contains(url.Scheme) && url.UserInfo.Length == 0 && url.Fragment.Length == 0
            ? url
            : throw new SettingException($"{Section}:{name}", $"takes an address that begins with {string.Join(":// or ", schemes)}://");
    }

    private static string? Number(Settings settings, string name)
    {
        var number = settings.Text($"{Section}:{name}");
        return number is null || PhoneNumber.IsE164(number) ? number : throw new SettingException($"{Section}:{name}", PhoneNumber.Expected);
    }
}
