using CallOrchestration.Host;

namespace CallOrchestration.Outbound.Tests;

public sealed class ExotelSettingsTests
{
    private static readonly Dictionary<string, string> Right = new()
    {
        ["Dialer:Provider"] = "Exotel",
        ["Dialer:Exotel:BaseUrl"] = "https://api.exotel.example",
        ["Dialer:Exotel:AccountSid"] = "demo",
        ["Dialer:Exotel:ApiKey"] = "key-secret",
        ["Dialer:Exotel:ApiToken"] = "token-secret",
        ["Dialer:Exotel:CallerId"] = "+918047110000",
        ["Dialer:Exotel:PublicUrl"] = "https://calls.example.com",
        ["Dialer:Exotel:FlowUrl"] = "http://my.exotel.example/demo/exoml/start_voice/11754",
    };

    [Fact]
    public void An_account_that_is_complete_is_taken() => Build().ShouldBeNull();

    [Theory]
    [InlineData("BaseUrl")]
    [InlineData("AccountSid")]
    [InlineData("ApiKey")]
    [InlineData("ApiToken")]
    [InlineData("PublicUrl")]
    [InlineData("FlowUrl")]
    public void A_missing_setting_stops_the_host_with_its_name(string name) =>
        Build(($"Dialer:Exotel:{name}", "")).ShouldNotBeNull().ShouldStartWith($"Dialer__Exotel__{name} ");

    [Theory]
    [InlineData("BaseUrl", "api.exotel.com")]
    [InlineData("BaseUrl", "ftp://api.exotel.com")]
    [InlineData("BaseUrl", "https://key:token@api.exotel.com")]
    [InlineData("PublicUrl", "localhost:5080")]
    [InlineData("CallerId", "08047110000")]
    [InlineData("StreamUrl", "wss://bots.example.com")] // beside FlowUrl
    [InlineData("ConnectTo", "+918047110009")] // beside FlowUrl
    [InlineData("ConnectTo", "0804711")]
    [InlineData("StreamUrl", "https://bots.example.com")]
    [InlineData("RequestsPerMinute", "0")]
    [InlineData("AcountSid", "misspelt")]
    public void A_setting_that_makes_no_sense_stops_the_host_with_its_name_and_no_secret(string name, string value)
    {
        var said = Build(($"Dialer:Exotel:{name}", value)).ShouldNotBeNull();

        said.ShouldContain($"Dialer__Exotel__{name}");
        said.ShouldNotContain("secret");
    }

    [Fact]
    public void An_unknown_provider_stops_the_host() => Build(("Dialer:Provider", "Twilio")).ShouldBe("Dialer__Provider takes Fake or Exotel");

    [Fact]
    public void Without_a_word_about_the_provider_no_real_call_is_placed() => Build(("Dialer:Provider", "")).ShouldBeNull();

    // The sentence that stops the host; null where it is built.
    private static string? Build(params (string Key, string Value)[] changes)
    {
        var builder = Application.CreateBuilder([]);
        builder.Configuration[Database.ConnectionStringKey] = "Host=127.0.0.1;Database=none";
        foreach (var (key, value) in Right) builder.Configuration[key] = value;
        foreach (var (key, value) in changes) builder.Configuration[key] = value;
        try
        {
            using var app = Application.Build(builder) as IDisposable;
            return null;
        }
        catch (SettingException error)
        {
            return error.Message;
        }
    }
}
