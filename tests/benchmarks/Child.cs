using System.Collections.Concurrent;
using System.Diagnostics;

namespace CallOrchestration.Benchmarks;

/// <summary>A process that is measured. It is ended with whoever holds it; its last lines are told where it failed.</summary>
internal class Child : IAsyncDisposable
{
    private const int LinesKept = 15;
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(40);

    private readonly ConcurrentQueue<string> said = new();
    private readonly Process process;

    protected Child(string name, ProcessStartInfo start)
    {
        Name = name;
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        // The shell's settings for a host of its own would point this one elsewhere.
        var given = Given(start);
        foreach (var setting in start.Environment.Keys.Where(IsASetting).Where(key => !given.Contains(key)).ToList()) start.Environment.Remove(setting);
        process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is { Length: > 0 } text) Heard(text);
        };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    public string Name { get; }

    public int Id => process.Id;

    public bool HasEnded => process.HasExited;

    /// <summary>Starts a process whose output nobody needs unless it fails.</summary>
    public static Child Start(string name, ProcessStartInfo start) => new(name, start);

    /// <summary>A .NET program that lies beside this one, run with the runtime's settings of the product's host.</summary>
    public static ProcessStartInfo Dotnet(string assembly, params string[] arguments) => new(
        "dotnet",
        ["exec", "--runtimeconfig", Beside("CallOrchestration.Host.runtimeconfig.json"), Beside(assembly), .. arguments]);

    public void Send(string line) => process.StandardInput.WriteLine(line);

    /// <summary>Throws with its last words where it has ended.</summary>
    public void MustRun()
    {
        if (!process.HasExited) return;
        process.WaitForExit();
        throw new CannotMeasureException($"{Name} ended with {process.ExitCode}:\n{string.Join('\n', said)}");
    }

    /// <summary>Waits for its end; throws where that is not a good one.</summary>
    public async Task Ended(CancellationToken cancellation)
    {
        await process.WaitForExitAsync(cancellation);
        if (process.ExitCode != 0) MustRun();
    }

    /// <summary>Asks it to stop in good order, and ends it where it does not.</summary>
    public async Task Stop()
    {
        if (process.HasExited) return;
        // .NET ends processes only the hard way.
        using (var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync();
        using var limit = new CancellationTokenSource(LongestStop);
        await process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Kill();
    }

    public virtual ValueTask DisposeAsync()
    {
        Kill();
        process.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected virtual void Heard(string line) => Keep(line);

    private static string Beside(string file) => Path.Combine(AppContext.BaseDirectory, file);

    private void Kill()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrWhiteSpace(line)) return;
        said.Enqueue(line);
        if (said.Count > LinesKept) said.TryDequeue(out _);
    }

    private static bool IsASetting(string name) =>
        name.Contains("__", StringComparison.Ordinal) || name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("PG", StringComparison.Ordinal) || name.ToUpperInvariant() is "URLS" or "DOTNET_URLS" or "DOTNET_ENVIRONMENT" or "NODE_OPTIONS";

    // What this process has in its own environment was not given to the child on purpose.
    private static HashSet<string> Given(ProcessStartInfo start) =>
        [.. start.Environment.Where(entry => entry.Value != Environment.GetEnvironmentVariable(entry.Key)).Select(entry => entry.Key)];
}
