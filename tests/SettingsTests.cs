using CallOrchestration.Host;
using CallOrchestration.Outbound;
using CallOrchestration.Scheduling;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Tests;

public sealed class SettingsTests
{
    private const string ConnectionStringName = "ConnectionStrings__CallOrchestration";
    private const string Nowhere = "Host=127.0.0.1;Port=1;Database=calls;Username=calls;Password=s3cr3t";

    [Fact]
    public async Task The_defaults_are_those_of_the_contract()
    {
        await using var host = Build();

        host.Services.GetRequiredService<CallTimers>().ShouldBe(new(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(2), TimeSpan.FromHours(4)));
        host.Services.GetRequiredService<SchedulerSettings>().ShouldBe(new(TimeSpan.FromSeconds(1), 200, TimeSpan.FromMinutes(1)));
        host.Services.GetServices<IHostedService>().Select(service => service.GetType()).ShouldContain(typeof(TriggerLoop));
        host.Services.GetServices<IHostedService>().Select(service => service.GetType()).ShouldContain(typeof(WatchdogLoop));
        host.Services.GetRequiredService<IDialer>().ShouldBeOfType<FakeDialer>();
        host.Configuration["urls"].ShouldBe("http://localhost:5080");
    }

    [Fact]
    public async Task What_is_set_counts_and_what_is_empty_is_the_default()
    {
        await using var host = Build(
            ("Retry__Delay", "00:00:07"), ("Watchdog__AnswerTimeout", ""), ("Watchdog__CallTimeout", "1.00:00:00"), ("Scheduler__Interval", "00:00:00.250"),
            ("Scheduler__BatchSize", "5000"), ("Watchdog__LookUpInterval", "00:00:02"), ("Scheduler__Enabled", "FALSE"), ("Dialer__Provider", "fake"), ("urls", "http://127.0.0.1:1"));

        host.Services.GetRequiredService<CallTimers>().ShouldBe(new(TimeSpan.FromSeconds(7), TimeSpan.FromMinutes(2), TimeSpan.FromDays(1)));
        host.Services.GetRequiredService<SchedulerSettings>().ShouldBe(new(TimeSpan.FromMilliseconds(250), 5000, TimeSpan.FromSeconds(2)));
        host.Services.GetServices<IHostedService>().ShouldAllBe(service => !(service is TriggerLoop) && !(service is WatchdogLoop));
        host.Configuration["urls"].ShouldBe("http://127.0.0.1:1");
    }

    [Theory]
    [InlineData("Retry__Delay", "5", "-00:00:01", "7.00:00:01", "5m", "00:05", "00:60:00", "soon")]
    [InlineData("Watchdog__AnswerTimeout", "5", "00:00:00", "1.00:00:01", "120")]
    [InlineData("Watchdog__CallTimeout", "4", "00:00:00", "7.00:00:01", "4h")]
    [InlineData("Watchdog__LookUpInterval", "60", "00:00:00", "01:00:01")]
    [InlineData("Dialer__Pause", "30", "00:00:00", "00:05:01")]
    [InlineData("Failpoints__Urls", "http://127.0.0.1:9")]
    [InlineData("Scheduler__Interval", "1", "00:00:00", "00:00:00.009", "00:01:01", "1s")]
    [InlineData("Scheduler__BatchSize", "0", "5001", "-1", "1.5", "1e3", "many")]
    [InlineData("Scheduler__Enabled", "yes", "1", "on")]
    [InlineData("Dialer__Provider", "Twilio", "Fake,Exotel", "0")]
    [InlineData("Dialer__Fake__Refuse", "9900000001", "+919900000001;+919900000002", "all")]
    [InlineData("Dialer__Fake__Throttle", "0")]
    [InlineData("Dialer__Fake__RetryAfter", "30", "-00:00:01", "01:00:01")]
    [InlineData("Retry__Delays", "00:05:00")]
    [InlineData("Scheduler__Intervall", "00:00:01")]
    [InlineData("Watchdog__Timeout", "00:02:00")]
    [InlineData("Dialer__Providers", "Fake")]
    [InlineData("Dialer__Fake__Refused", "+919900000001")]
    [InlineData("Scheduler__Enabled__Really", "true")]
    public void A_setting_that_is_wrong_or_misspelt_is_refused_by_its_name(string name, params string[] values)
    {
        foreach (var value in values)
        {
            var message = Refused((name, value));
            message.ShouldStartWith(name + " ", Case.Sensitive, value);
            message.ShouldMatch(name == "Dialer__Fake__Throttle" ? "takes" : "takes|is no setting; there are .*__");
        }
    }

    [Fact]
    public void Production_refuses_failpoints() =>
        Refused(("Failpoints__Url", "http://127.0.0.1:9")).ShouldStartWith("Failpoints__Url is for storms, and refused while the environment");

    [Fact]
    public void A_number_with_two_behaviours_is_refused() =>
        Refused(("Dialer__Fake__Refuse", "+919900000001"), ("Dialer__Fake__Error", "+919900000002, +919900000001")).ShouldContain("Dialer__Fake__Refuse");

    [Theory]
    [InlineData("")]
    [InlineData("postgres://calls:s3cr3t@localhost/calls")]
    [InlineData("Password=s3cr3t;Database=calls")]
    [InlineData("Host=localhost;Password=s3cr3t;Prot=5432")]
    [InlineData("Host=localhost;Password=s3cr3t;Port=many")]
    [InlineData("Host=localhost;Password=s3cr3t;Port=99999999999")]
    [InlineData("Host=localhost;Password=s3cr3t;SSL Mode=s3cr3t")]
    [InlineData("Host=localhost;Password='s3cr3t")]
    public void A_bad_connection_string_is_refused_without_quoting_its_password(string connectionString)
    {
        var message = Refused((ConnectionStringName, connectionString));
        message.ShouldStartWith($"{ConnectionStringName} takes a PostgreSQL connection string");
        message.ShouldNotContain("s3cr3t");
    }

    [Fact]
    public async Task The_process_says_it_in_one_sentence_and_ends_with_2()
    {
        var ended = await Programs.Host([], (ConnectionStringName, Nowhere), ("Retry__Delay", "5"));

        ended.ExitCode.ShouldBe(2);
        ended.Error.TrimEnd().ShouldBe("Retry__Delay takes a time span from 00:00:00 to 7.00:00:00, written as hours:minutes:seconds such as 00:05:00");
        ended.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_is_told_in_one_sentence_without_the_password()
    {
        var ended = await Programs.Host(["--urls", "http://127.0.0.1:0"], (ConnectionStringName, Nowhere));

        ended.ExitCode.ShouldBe(1);
        ended.Error.TrimEnd().ShouldMatch($@"^The database of {ConnectionStringName} cannot be used \(\w+\)\.$");
        ended.Output.ShouldNotContain("s3cr3t");
    }

    private static string Refused(params (string Name, string Value)[] settings) =>
        Should.Throw<SettingException>(() => Build(settings), string.Join(" ", settings.Select(setting => $"{setting.Name}={setting.Value}"))).Message;

    private static WebApplication Build(params (string Name, string Value)[] settings)
    {
        var builder = Application.CreateBuilder([.. settings.Select(setting => $"--{setting.Name.Replace("__", ":", StringComparison.Ordinal)}={setting.Value}")]);
        if (!settings.Any(setting => setting.Name == ConnectionStringName)) builder.Configuration[Database.ConnectionStringKey] = Nowhere;
        return Application.Build(builder);
    }
}
