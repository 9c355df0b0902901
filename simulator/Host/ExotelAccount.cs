using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Host;

/// <summary>The fake Exotel as an account in the settings of a host.</summary>
internal static class ExotelAccount
{
    /// <param name="exotel">How it is played.</param>
    /// <param name="address">Where.</param>
    /// <param name="callbacks">Where it reaches the host's webhooks.</param>
    public static Dictionary<string, string> Settings(ExotelOptions exotel, Uri address, Uri callbacks) => new()
    {
        ["Dialer__Provider"] = "Exotel",
        ["Dialer__Exotel__BaseUrl"] = address.GetLeftPart(UriPartial.Authority),
        ["Dialer__Exotel__AccountSid"] = exotel.Account,
        ["Dialer__Exotel__ApiKey"] = exotel.Key,
        ["Dialer__Exotel__ApiToken"] = exotel.Token,
        ["Dialer__Exotel__PublicUrl"] = callbacks.GetLeftPart(UriPartial.Authority),
        ["Dialer__Exotel__FlowUrl"] = $"http://my.exotel.com/{exotel.Account}/exoml/start_voice/1",
    };
}
