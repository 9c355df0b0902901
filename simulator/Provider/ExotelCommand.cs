using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using CallOrchestration.Simulator.Lifecycle;
using Spectre.Console;
using static CallOrchestration.Simulator.Takes;

namespace CallOrchestration.Simulator.Provider;

/// <summary><c>exotel</c>: its options, and the screen of a running fake.</summary>
internal static class ExotelCommand
{
    private static readonly ExotelOptions Defaults = new();

    private static readonly Option<int?> Port = Value("--port", "NUMBER", "Where to listen, on loopback only; 0 takes a free one.", Defaults.Port,
        text => Whole(text, 0, 65535), "a port from 0 to 65535");

    private static readonly Option<int?> Seed = Value<int>("--seed", "NUMBER",
        "Draws the script of every number that names none, and how long people ring and talk. A new one each time, and printed.", null,
        text => Whole(text, int.MinValue, int.MaxValue), "a whole number");

    private static readonly Option<double?> Speed = Value("--speed", "FACTOR",
        "How many times faster than life ringing, talking, settling and the waits between deliveries go by; 1 is as in life.", Defaults.Speed,
        text => Number(text, 0.1, 10_000), "a number from 0.1 to 10000");

    private static readonly Option<string> LedgerFile = Text("--ledger", "FILE",
        "Where every dial and callback is written down, whole numbers included. Goes on after what is there.", Defaults.Ledger,
        text => new FileInfo(text) is { Directory.Exists: true } && !Directory.Exists(text) ? text : null, "a file in a folder that exists");

    private static readonly Option<string> Account = Text("--account", "SID", "The account that this is.", Defaults.Account, Word, "a word without spaces and slashes");
    private static readonly Option<string> Key = Text("--key", "KEY", "Its API key.", Defaults.Key, Word, "a word without spaces and colons", secret: true);
    private static readonly Option<string> Token = Text("--token", "TOKEN", "Its API token.", Defaults.Token, Secret, "a token in ASCII and without spaces", secret: true);

    private static readonly Option<int?> CallsPerMinute = Value("--calls-per-minute", "NUMBER",
        "Dials and look-ups before 429, in any minute of real time.", Defaults.CallsPerMinute, text => Whole(text, 1, 1_000_000), "a number from 1");

    private static readonly Option<Uri?> VoiceUrl = new("--voice-url")
    {
        Description = "Where the flow of an answered call asks, as its Passthru applet does; with whatever token it takes. Nobody is asked without it.",
        HelpName = "URL",
        CustomParser = Parsed(Address, "an http or https address"),
    };

    private static readonly Option<double?> WebhookTimeout = Value("--webhook-timeout", "SECONDS",
        "How long a callback may stay without an answer; not shortened by --speed.", Defaults.WebhookTimeout.TotalSeconds,
        text => Number(text, 0.1, 600), "seconds, from 0.1 to 600");

    public static Command Create()
    {
        var command = new Command("exotel",
            """
            Is Exotel, for any client of it: places calls that ring nowhere, and calls back. The dialled number says what happens.

            Runs until Ctrl-C. Exit code 0 then, 1 if the port is taken or the ledger cannot be written, 2 for wrong options.
            """)
        {
            Port, Seed, Speed, LedgerFile, Account, Key, Token, CallsPerMinute, VoiceUrl, WebhookTimeout,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var screen = Screen.ForOutput().Console;
            return Run(screen, new ExotelOptions
            {
                Port = parsed.GetValue(Port)!.Value,
                Seed = parsed.GetValue(Seed) ?? Random.Shared.Next(1, 1_000_000_000),
                Speed = parsed.GetValue(Speed)!.Value,
                Ledger = parsed.GetValue(LedgerFile)!,
                Account = parsed.GetValue(Account)!,
                Key = parsed.GetValue(Key)!,
                Token = parsed.GetValue(Token)!,
                CallsPerMinute = parsed.GetValue(CallsPerMinute)!.Value,
                VoiceUrl = parsed.GetValue(VoiceUrl),
                WebhookTimeout = TimeSpan.FromSeconds(parsed.GetValue(WebhookTimeout)!.Value),

                // Not by the screen, which would wrap a line at its width.
                Say = line => Console.Out.WriteLine($"{DateTime.Now.ToString("HH:mm:ss", CultureInfo.InvariantCulture)} {line}"),
            }, cancellation);
        });
        return command;
    }

    private static async Task<int> Run(IAnsiConsole screen, ExotelOptions options, CancellationToken cancellation)
    {
        try
        {
            await using var server = await ExotelServer.Start(options, cancellation);
            await Console.Out.WriteLineAsync(Welcome.Text(options, server.Address));
            screen.Write(Welcome.ScriptTable());
            await Task.Delay(Timeout.Infinite, cancellation).ContinueWith(_ => { }, TaskScheduler.Default);
            await Console.Out.WriteLineAsync("Stopped. Calls that were going on hear nothing more.");
            return ExitCode.AllHeld;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return ExitCode.AllHeld; // Ctrl-C while it was starting
        }
        catch (Exception wrong) when (wrong is IOException or UnauthorizedAccessException or SocketException)
        {
            await Console.Error.WriteLineAsync($"Exotel cannot be played: {wrong.Message}");
            return ExitCode.SomethingFailed;
        }
    }

    private static string? Word(string text) => Secret(text) is { } word && !word.AsSpan().ContainsAny("/:?#%") ? word : null;

    private static Option<T?> Value<T>(string name, string help, string description, T? usual, Func<string, T?> read, string takes)
        where T : struct
    {
        var option = new Option<T?>(name) { Description = description, HelpName = help, CustomParser = ParsedValue(read, takes) };
        if (usual is not null) option.DefaultValueFactory = _ => usual;
        return option;
    }

    private static Option<string> Text(
        string name, string help, string description, string usual, Func<string, string?> read, string takes, bool secret = false) => new(name)
        {
            Description = description,
            HelpName = help,
            DefaultValueFactory = _ => usual,
            CustomParser = Parsed(read, takes, secret),
        };
}
