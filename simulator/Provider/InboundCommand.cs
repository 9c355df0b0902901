using System.CommandLine;
using static CallOrchestration.Simulator.Takes;

namespace CallOrchestration.Simulator.Provider;

/// <summary><c>inbound</c>: somebody calls an ExoPhone, once.</summary>
internal static class InboundCommand
{
    private static readonly Option<string> From = new("--from")
    {
        Description = "Who calls. A made-up number if not given.",
        HelpName = "NUMBER",
        DefaultValueFactory = _ => $"+919{Random.Shared.Next(100_000_000, 1_000_000_000)}",
        CustomParser = Parsed(PhoneNumber.E164, "a phone number such as +919900000001"),
    };

    private static readonly Option<string> To = new("--to")
    {
        Description = "The ExoPhone that is called.",
        HelpName = "NUMBER",
        DefaultValueFactory = _ => "+918047110000",
        CustomParser = Parsed(PhoneNumber.E164, "a phone number such as +918047110000"),
    };

    private static readonly Option<Uri> Url = new("--url")
    {
        Description = "Where the host is; its /webhooks/inbound is asked.",
        HelpName = "URL",
        DefaultValueFactory = _ => new Uri("http://localhost:5080"),
        CustomParser = Parsed(Address, "an http or https address"),
    };

    private static readonly Option<string> WebhookToken = new("--webhook-token")
    {
        Description = "The webhook token of the organization that has the ExoPhone. Never printed.",
        HelpName = "TOKEN",
        DefaultValueFactory = _ => "demo-token",
        CustomParser = Parsed(Secret, "the token as it was given, in ASCII and without spaces", secret: true),
    };

    private static readonly Option<string> Ending = new("--ending")
    {
        Description = $"How the call ends: {string.Join(", ", InboundStory.Endings)}.",
        HelpName = "WORD",
        DefaultValueFactory = _ => InboundStory.Endings[0],
        CustomParser = Parsed(text => InboundStory.Endings.Contains(text) ? text : null, $"one of {string.Join(", ", InboundStory.Endings)}"),
    };

    private static readonly Option<double?> Speed = new("--speed")
    {
        Description = "How many times faster than life ringing and talking go by, from 0.1 to 10000.",
        HelpName = "FACTOR",
        DefaultValueFactory = _ => 10,
        CustomParser = ParsedValue<double>(text => Number(text, 0.1, 10_000), "a number from 0.1 to 10000"),
    };

    public static Command Create()
    {
        var command = new Command("inbound",
            """
            Fires one inbound call as Exotel does: a GET from the Passthru applet at the start, more of them on the way, and the end.

            Exit code 0 if every step was answered 200, 1 if one was not, 2 for wrong options, 130 after Ctrl-C.
            """)
        {
            From, To, Url, WebhookToken, Ending, Speed,
        };
        command.SetAction((parsed, cancellation) => Run(
            new InboundStory(
                parsed.GetValue(From)!, parsed.GetValue(To)!, parsed.GetValue(Ending)!, parsed.GetValue(Speed)!.Value, Console.Out.WriteLine),
            parsed.GetValue(Url)!,
            parsed.GetValue(WebhookToken)!,
            cancellation));
        return command;
    }

    private static async Task<int> Run(InboundStory story, Uri url, string token, CancellationToken cancellation)
    {
        try
        {
            return await story.Play(url, token, cancellation) ? ExitCode.AllHeld : ExitCode.SomethingFailed;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Interrupted. The call stays as it is.");
            return ExitCode.Interrupted;
        }
        catch (Exception silent) when (silent is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{url.GetLeftPart(UriPartial.Authority)} does not answer: {silent.Message}");
            return ExitCode.SomethingFailed;
        }
    }
}
