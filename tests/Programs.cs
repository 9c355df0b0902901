using System.Diagnostics;

namespace CallOrchestration.Tests;

/// <summary>What a program said, and the code with which it ended.</summary>
internal sealed record Ended(int ExitCode, string Output, string Error);

/// <summary>Runs real processes: the host's commands, and the SDK.</summary>
internal static class Programs
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(4);

    /// <summary>Runs the host, as it lies beside the tests, to its end.</summary>
    public static Task<Ended> Host(string[] arguments, params (string Name, string Value)[] environment) =>
        Dotnet([Path.Combine(AppContext.BaseDirectory, "CallOrchestration.Host.dll"), .. arguments], environment);

    /// <summary>Runs <c>dotnet</c> to its end, which is awaited for four minutes at most.</summary>
    public static async Task<Ended> Dotnet(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Longest);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new(process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }
}
