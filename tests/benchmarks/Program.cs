using System.CommandLine;
using System.Text;
using CallOrchestration.Benchmarks;
using CallOrchestration.Benchmarks.Schedulers;

// The bars and borders are not ASCII, whatever the locale says.
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

// Not for people: the processes under measurement that are made of this program.
switch (args)
{
    case [HostChild.Command]: return await HostChild.Run();
    case [QuartzChild.Command, var what]: return await QuartzChild.Run(what);
}

var parsed = BenchmarkCommand.Create().Parse(args);
if (parsed.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync($"{parsed.Errors[0].Message} (--help lists what there is.)");
    return ExitCode.WrongOptions;
}

// After Ctrl-C every process that was started ends, PostgreSQL last of all.
return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
