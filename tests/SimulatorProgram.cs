using System.Diagnostics;

namespace CallOrchestration.Tests;

/// <summary>The simulator's process, with a place of its own for what is temporary: whatever it leaves behind is found there.</summary>
internal static class SimulatorProgram
{
    public static Task<Ended> Run(TestDirectory directory, params string[] arguments)
    {
        var start = ToStart(directory, arguments);
        return Programs.Dotnet([.. start.ArgumentList], ("TMPDIR", Temporary(directory)));
    }

    /// <summary>From its own output, as people run it: beside that it looks for the host's.</summary>
    public static ProcessStartInfo ToStart(TestDirectory directory, params string[] arguments)
    {
        var tests = Path.Combine(AppContext.BaseDirectory, "../../..");
        var assembly = Path.GetFullPath(Path.Combine(
            tests, "../simulator", Path.GetRelativePath(tests, AppContext.BaseDirectory), "CallOrchestration.Simulator.dll"));
        return new("dotnet", [assembly, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TMPDIR"] = Temporary(directory) },
        };
    }

    /// <summary>Ctrl-C, and its end.</summary>
    public static async Task Interrupt(Process simulator, CancellationToken cancellation)
    {
        using var interrupt = Process.Start("sh", ["-c", $"kill -INT {simulator.Id}"]);
        await simulator.WaitForExitAsync(cancellation);
    }

    /// <summary>No file, and no process: whatever ran for it has its directory on the command line, a PostgreSQL among them, or as its working directory.</summary>
    public static void ShouldHaveLeftNothing(TestDirectory directory)
    {
        Directory.EnumerateFileSystemEntries(Temporary(directory)).Select(Path.GetFileName)
            // A process that was killed cannot remove the pipes by which .NET lets a debugger in.
            .Where(left => !left!.StartsWith("dotnet-diagnostic-", StringComparison.Ordinal) && !left.StartsWith("clr-debug-pipe-", StringComparison.Ordinal))
            .ShouldBeEmpty();
        if (!Directory.Exists("/proc/self")) return;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(name => int.TryParse(Path.GetFileName(name), out _)))
        {
            try
            {
                File.ReadAllText(Path.Combine(process, "cmdline")).ShouldNotContain(directory.Path);
                new FileInfo(Path.Combine(process, "cwd")).LinkTarget.ShouldNotStartWith(directory.Path);
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or is somebody else's.
            }
        }
    }

    private static string Temporary(TestDirectory directory)
    {
        var temporary = Path.Combine(directory.Path, "tmp");
        if (!Directory.Exists(temporary)) Directory.CreateDirectory(temporary);
        return temporary;
    }
}
