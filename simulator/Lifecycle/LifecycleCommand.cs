using System.CommandLine;
using System.Globalization;
using Npgsql;
using static CallOrchestration.Simulator.Takes;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary><c>lifecycle</c>: its options, and what each of them takes.</summary>
internal static class LifecycleCommand
{
    private static readonly Option<Uri?> Url = new("--url")
    {
        Description = "Where the host is: http://localhost:5080 if not given; with --provider exotel, one is started then.",
        HelpName = "URL",
        CustomParser = Parsed(Address, "an http or https address"),
    };

    private static readonly Option<string> Provider = new("--provider")
    {
        Description = "fake: the host's own fake dialler, its calls played from here. exotel: every script of the fake Exotel, over its API.",
        HelpName = "fake|exotel",
        DefaultValueFactory = _ => "fake",
        CustomParser = Parsed(text => text is "fake" or "exotel" ? text : null, "fake or exotel"),
    };

    private static readonly Option<int?> ExotelPort = new("--exotel-port")
    {
        Description = $"Where Exotel is played for a host at --url, which must have been pointed at it; {BothSides.UsualPort} if not given.",
        HelpName = "NUMBER",
        CustomParser = ParsedValue<int>(text => Whole(text, 0, 65535), "a port from 0 to 65535"),
    };

    private static readonly Option<FileInfo?> Ledger = new("--ledger")
    {
        Description = "Keeps the ledger of the fake Exotel in this file; else it goes with the run.",
        HelpName = "FILE",
        CustomParser = Parsed(InAFolder, "a file in a folder that exists"),
    };

    private static readonly Option<string> Key = new("--key")
    {
        Description = "The organization's API key. Never printed.",
        HelpName = "KEY",
        DefaultValueFactory = _ => "demo-key",
        CustomParser = Parsed(Secret, "the key as it was given, in ASCII and without spaces", secret: true),
    };

    private static readonly Option<string> WebhookToken = new("--webhook-token")
    {
        Description = "The same organization's webhook token. Never printed.",
        HelpName = "TOKEN",
        DefaultValueFactory = _ => "demo-token",
        CustomParser = Parsed(Secret, "the token as it was given, in ASCII and without spaces", secret: true),
    };

    private static readonly Option<string?> Database = new("--database")
    {
        Description = "Connection string of the host's PostgreSQL, or a file with it. With it, the rows are read and checked too.",
        HelpName = "CONNECTION",
        CustomParser = Parsed(ConnectionString, "a connection string as Npgsql reads it, such as \"Host=localhost;Database=calls\", or a file with one", secret: true),
    };

    private static readonly Option<int?> Seed = new("--seed")
    {
        Description = "Draws the same people, numbers and durations again. A new one each time, and printed.",
        HelpName = "NUMBER",
        CustomParser = ParsedValue<int>(text => int.TryParse(text, CultureInfo.InvariantCulture, out var seed) ? seed : null, "a whole number"),
    };

    private static readonly Option<double?> Speed = new("--speed")
    {
        Description = "How many times faster than life ringing and talking go by, from 0.1 to 1000; 1 is as in life.",
        HelpName = "FACTOR",
        DefaultValueFactory = _ => 10,
        CustomParser = ParsedValue<double>(text => Number(text, 0.1, 1000), "a number from 0.1 to 1000"),
    };

    private static readonly Option<FileInfo?> ReportFile = new("--report")
    {
        Description = "Also writes the result to this file, as JSON.",
        HelpName = "FILE",
        CustomParser = Parsed(InAFolder, "a file in a folder that exists"),
    };

    private static readonly Option<double?> Patience = new("--patience")
    {
        Description = "Seconds to wait for any one thing that the host has to do, up to 3600; 30 if not given, 90 with --provider exotel.",
        HelpName = "SECONDS",
        CustomParser = ParsedValue<double>(text => Number(text, 0.1, 3600), "seconds, from 0.1 to 3600"),
    };

    public static Command Create()
    {
        var command = new Command("lifecycle",
            """
            Plays inbound and outbound calls against the host, all at once, and checks how each of them ends.

            Outbound calls go to made-up numbers: play this only against a host whose dialler places no real call.
            Exit code 0 if every scenario held, 1 if one did not or the host could not be reached, 2 for wrong options, 130 after Ctrl-C.
            """)
        {
            Provider, Url, ExotelPort, Ledger, Key, WebhookToken, Database, Seed, Speed, ReportFile, Patience,
        };
        command.Validators.Add(given =>
        {
            // An option without effect would leave its giver waiting for one.
            if (given.GetResult(Provider)?.Tokens is not [{ Value: "exotel" }]
                && new Option[] { ExotelPort, Ledger }.FirstOrDefault(option => given.GetResult(option) is not null) is { } vain)
            {
                given.AddError($"{vain.Name} belongs to --provider exotel.");
            }
        });
        command.SetAction((parsed, cancellation) => LifecycleRun.Play(
            new LifecycleOptions
            {
                Url = parsed.GetValue(Url) ?? new Uri("http://localhost:5080"),
                Exotel = parsed.GetValue(Provider) == "exotel" ? new(parsed.GetValue(Url) is not null, parsed.GetValue(ExotelPort), parsed.GetValue(Ledger)) : null,
                Key = parsed.GetValue(Key)!,
                WebhookToken = parsed.GetValue(WebhookToken)!,
                Database = parsed.GetValue(Database),
                Seed = parsed.GetValue(Seed) ?? Random.Shared.Next(1, 1_000_000_000),
                Speed = parsed.GetValue(Speed)!.Value,
                Report = parsed.GetValue(ReportFile),
                Patience = TimeSpan.FromSeconds(parsed.GetValue(Patience) ?? (parsed.GetValue(Provider) == "exotel" ? 90 : 30)),
            },
            cancellation));
        return command;
    }

    private static FileInfo? InAFolder(string text) =>
        new FileInfo(text) is { Directory.Exists: true } file && !Directory.Exists(text) ? file : null;

    private static string? ConnectionString(string text)
    {
        try
        {
            // A file keeps the password off the command line, which every user of the machine can read.
            if (File.Exists(text)) text = File.ReadAllText(text).Trim();
            return new NpgsqlConnectionStringBuilder(text).Host is { Length: > 0 } ? text : null;
        }
        catch (Exception wrong) when (wrong is ArgumentException or FormatException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
