using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace CallOrchestration.Simulator.Host;

/// <summary>How to start a host.</summary>
/// <param name="Directory">Its working directory; a private PostgreSQL of its own would lie below.</param>
/// <param name="Url">Where it listens.</param>
/// <param name="Settings">As environment variables (<c>A__B</c>); none of this process's own settings reaches it.</param>
internal sealed record HostStart(string Directory, Uri Url, IReadOnlyDictionary<string, string> Settings)
{
    /// <summary>The host's DLL; null: the one built beside this simulator.</summary>
    public string? Assembly { get; init; }

    /// <summary>A file to which all that it says is added.</summary>
    public string? Log { get; init; }
}

/// <summary>A host of our own as a process.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    private const int LinesKept = 15;

    // A first start makes a database cluster, on a machine that may be busy with something else.
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(2);

    // Dials that are out get their answer first, then PostgreSQL stops; the host has limits of its own for both.
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);
    private static readonly HttpClient Readiness = new(new SocketFailures(new SocketsHttpHandler { UseProxy = false })) { Timeout = TimeSpan.FromSeconds(5) };

    private readonly HostStart _start;
    private readonly Process _process;
    private readonly StreamWriter? _log;
    private readonly Queue<string> _said = new();

    private HostProcess(HostStart start, Process process)
    {
        (_start, _process, Id) = (start, process, process.Id);
        if (start.Log is { } log) _log = new(new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
    }

    public int Id { get; }

    public bool HasExited => _process.HasExited;

    public Uri Url => _start.Url;

    /// <summary>Written by the host once its private PostgreSQL is up.</summary>
    public string Database => File.ReadAllText(InData("connection-string")).Trim();

    /// <summary>An address on loopback that nobody has at this moment.</summary>
    public static Uri FreeUrl()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return new($"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture)}");
    }

    /// <summary>Starts the host; it is not ready yet.</summary>
    public static HostProcess Launch(HostStart start)
    {
        var host = new HostProcess(start, Process.Start(Info(start, "--urls", start.Url.GetLeftPart(UriPartial.Authority)))!);
        host.Listen();
        return host;
    }

    /// <summary>Starts the host, and returns when it is ready.</summary>
    public static async Task<HostProcess> Start(HostStart start, CancellationToken cancellation)
    {
        var host = Launch(start);
        try
        {
            await host.Ready(cancellation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs one of the host's commands to its end; what it printed.</summary>
    /// <exception cref="CannotPlay">It failed.</exception>
    public static async Task<string> Command(HostStart start, string[] arguments, CancellationToken cancellation)
    {
        using var process = Process.Start(Info(start, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }

        return process.ExitCode == 0 ? await output : throw new CannotPlay($"The host's command {arguments[0]} failed:\n{await output}{await errors}");
    }

    /// <summary>Waits until it is ready.</summary>
    /// <exception cref="CannotPlay">It ended instead, or takes too long.</exception>
    public async Task Ready(CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < LongestStart)
        {
            if (_process.HasExited)
            {
                await _process.WaitForExitAsync(cancellation); // for the last of what it said
                throw new CannotPlay($"The host ended before it was ready:\n{Said()}");
            }

            if (await IsReady(cancellation)) return;
            await Task.Delay(BetweenLooks, cancellation);
        }

        throw new CannotPlay($"The host was not ready within {LongestStart.TotalSeconds:0} s:\n{Said()}");
    }

    /// <summary>Whether it answers, within 5 s, that it can do its work.</summary>
    public async Task<bool> IsReady(CancellationToken cancellation)
    {
        try
        {
            using var answer = await Readiness.GetAsync(new Uri(Url, "health/ready"), cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception silent) when (silent is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            // It listens only when its database is there.
            return false;
        }
    }

    /// <summary>kill -9.</summary>
    public void Kill()
    {
        if (!_process.HasExited) _process.Kill();
    }

    /// <summary>Stops every thread of it where it is, as a virtual machine that is moved, until <see cref="Thaw"/>.</summary>
    public Task Freeze() => Signal("STOP", Id);

    public Task Thaw() => Signal("CONT", Id);

    public async ValueTask DisposeAsync() => await Stop();

    /// <summary>Asks it to stop, and after a long wait kills it.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> Stop()
    {
        // By the shell's own kill: .NET ends processes only the hard way, and then PostgreSQL would stay.
        if (!_process.HasExited) await Signal("TERM", _process.Id);
        if (!await Ends(_process))
        {
            _process.Kill(entireProcessTree: true);
            await StopPostgres();
        }

        // Once more for its last words, which come apart from its end.
        await _process.WaitForExitAsync();
        var code = _process.ExitCode;
        _process.Dispose();
        if (_log is not null) await _log.DisposeAsync();
        return code;
    }

    private static ProcessStartInfo Info(HostStart start, params string[] arguments)
    {
        var info = new ProcessStartInfo("dotnet", [start.Assembly ?? BesideUs(), .. arguments])
        {
            WorkingDirectory = start.Directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // The shell's settings for another host would point this one at another database, or at an account where phones really ring.
        foreach (var name in info.Environment.Keys.Where(IsASetting).ToList()) info.Environment.Remove(name);
        foreach (var (name, value) in start.Settings) info.Environment[name] = value;
        return info;
    }

    private static bool IsASetting(string name) =>
        name.Contains("__", StringComparison.Ordinal) || name.Contains(':', StringComparison.Ordinal)
        || name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
        || name.ToUpperInvariant() is "URLS" or "DOTNET_URLS" or "DOTNET_ENVIRONMENT";

    // Simulator and host are built alike: simulator/bin/Release/net10.0 and host/bin/Release/net10.0.
    private static string BesideUs()
    {
        var output = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        var configuration = Path.GetFileName(Path.GetDirectoryName(output)!);
        var assembly = Path.GetFullPath(Path.Combine(
            output, "../../../../host/bin", configuration, Path.GetFileName(output), "CallOrchestration.Host.dll"));
        return File.Exists(assembly)
            ? assembly
            : throw new CannotPlay($"There is no host at {assembly}: build it first (dotnet build host -c {configuration}).");
    }

    // A full pipe would stop the host. The last lines say why it ended, if it does.
    private void Listen()
    {
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private void Keep(string? line)
    {
        if (string.IsNullOrWhiteSpace(line)) return;
        lock (_said)
        {
            _log?.WriteLine(line);
            _said.Enqueue(line);
            if (_said.Count > LinesKept) _said.Dequeue();
        }
    }

    private string Said()
    {
        lock (_said) return string.Join('\n', _said);
    }

    // A host that had to be killed has left its server behind.
    private async Task StopPostgres()
    {
        var file = InData("postgres", "postmaster.pid");
        if (!File.Exists(file) || !int.TryParse((await File.ReadAllLinesAsync(file)).FirstOrDefault(), CultureInfo.InvariantCulture, out var id)) return;
        try
        {
            using var postgres = Process.GetProcessById(id);
            await Signal("INT", id); // PostgreSQL's "fast"
            await Ends(postgres);
        }
        catch (ArgumentException)
        {
            // It is gone.
        }
    }

    private string InData(params string[] names) => Path.Combine([_start.Directory, ".data", .. names]);

    private static async Task Signal(string signal, int process)
    {
        using var kill = Process.Start("sh", ["-c", $"kill -{signal} {process.ToString(CultureInfo.InvariantCulture)} 2>/dev/null"]);
        await kill.WaitForExitAsync();
    }

    private static async Task<bool> Ends(Process process)
    {
        using var limit = new CancellationTokenSource(LongestStop);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
