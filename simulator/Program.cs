using System.CommandLine;
using System.Text;
using CallOrchestration.Simulator;
using CallOrchestration.Simulator.Lifecycle;
using CallOrchestration.Simulator.Provider;
using CallOrchestration.Simulator.Storm;

// The marks and borders of the tables are not ASCII, whatever the locale says.
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

var root = new RootCommand("Plays the telephony provider against a running host, over HTTP, and checks what the host made of it.")
{
    LifecycleCommand.Create(),
    ExotelCommand.Create(),
    InboundCommand.Create(),
    StormCommand.Create(),
};

// To give no command at all is a question, not a mistake.
var parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
if (parsed.Errors.Count > 0)
{
    // An unknown word says more than the complaint about the missing command that comes before it.
    var wrong = parsed.UnmatchedTokens is [var unknown, ..] ? $"There is no command or option '{unknown}' here." : parsed.Errors[0].Message;
    await Console.Error.WriteLineAsync($"{wrong} (--help lists what there is.)");
    return ExitCode.BadOptions;
}

try
{
    // A host that was started for the play gets its dials recorded and its PostgreSQL stopped before this ends. The library's own handler of
    // exceptions would be silent about a timeout, which it takes for Ctrl-C.
    return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(45), EnableDefaultExceptionHandler = false });
}
catch (Exception unexpected)
{
    await Console.Error.WriteLineAsync($"The play was broken off: {unexpected}");
    return ExitCode.SomethingFailed;
}
