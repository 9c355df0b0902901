using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>A host of our own as a process, with its private PostgreSQL in a directory that goes with the run.</summary>
internal sealed class StartedHost : IAsyncDisposable
{
    private const int LinesKept = 15;

    // A first start makes a database cluster, on a machine that may be busy with something else.
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(2);

    // Dials that are out get their answer first, then PostgreSQL stops; the host has limits of its own for both.
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(200);

    private readonly Process _process;
    private readonly string _directory;
    private readonly Queue<string> _said = new();

    private StartedHost(Process process, string directory, Uri url) => (_process, _directory, Url) = (process, directory, url);

    public Uri Url { get; }

    /// <summary>Written by the host once its PostgreSQL is up.</summary>
    public string Database => File.ReadAllText(InData("connection-string")).Trim();

    /// <summary>Returns when the host is ready.</summary>
    /// <param name="directory">The host's working directory.</param>
    /// <param name="exotel">Where it dials.</param>
    /// <param name="speed">Of the provider: the host must not give up on a call that is only being played slowly.</param>
    /// <param name="cancellation">Stops it again.</param>
    public static async Task<StartedHost> Start(string directory, Uri exotel, double speed, CancellationToken cancellation)
    {
        // The callbacks' address is a setting of the host, so it must be known before the host is.
        var url = new Uri($"http://127.0.0.1:{FreePort().ToString(CultureInfo.InvariantCulture)}");
        var start = new ProcessStartInfo("dotnet", [Assembly(), "--urls", url.GetLeftPart(UriPartial.Authority)])
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // The shell's settings for another host would point this one at another database, or at an account where phones really ring.
        foreach (var name in start.Environment.Keys.Where(IsASetting).ToList()) start.Environment.Remove(name);
        foreach (var (name, value) in Settings(url, exotel, speed)) start.Environment[name] = value;

        var host = new StartedHost(Process.Start(start)!, directory, url);
        try
        {
            host.Listen();
            await host.BecomesReady(cancellation);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // By the shell's own kill: .NET ends processes only the hard way, and then PostgreSQL would stay.
        if (!_process.HasExited) await Signal("TERM", _process.Id);
        if (!await Ends(_process))
        {
            _process.Kill(entireProcessTree: true);
            await StopPostgres();
        }

        _process.Dispose();
    }

    private static IEnumerable<(string Name, string Value)> Settings(Uri url, Uri exotel, double speed)
    {
        var usual = new Provider.ExotelOptions();
        yield return ("Dialer__Provider", "Exotel");
        yield return ("Dialer__Exotel__BaseUrl", exotel.GetLeftPart(UriPartial.Authority));
        yield return ("Dialer__Exotel__AccountSid", usual.Account);
        yield return ("Dialer__Exotel__ApiKey", usual.Key);
        yield return ("Dialer__Exotel__ApiToken", usual.Token);
        yield return ("Dialer__Exotel__CallerId", PlayedCall.ExoPhone);
        yield return ("Dialer__Exotel__PublicUrl", url.GetLeftPart(UriPartial.Authority));
        yield return ("Dialer__Exotel__FlowUrl", $"http://my.exotel.com/{usual.Account}/exoml/start_voice/1");
        yield return ("Retry__Delay", "00:00:01");

        // The longest call rings and talks for fifty seconds of its life, and who never calls back is asked about after this.
        yield return ("Watchdog__AnswerTimeout", TimeSpan.FromSeconds(Math.Ceiling(Math.Max(6, 60 / speed))).ToString("c", CultureInfo.InvariantCulture));
    }

    private static bool IsASetting(string name) =>
        name.Contains("__", StringComparison.Ordinal) || name.Contains(':', StringComparison.Ordinal)
        || name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase)
        || name.ToUpperInvariant() is "URLS" or "DOTNET_URLS" or "DOTNET_ENVIRONMENT";

    // Simulator and host are built alike: simulator/bin/Release/net10.0 and host/bin/Release/net10.0.
    private static string Assembly()
    {
        var output = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        var configuration = Path.GetFileName(Path.GetDirectoryName(output)!);
        var assembly = Path.GetFullPath(Path.Combine(
            output, "../../../../host/bin", configuration, Path.GetFileName(output), "CallOrchestration.Host.dll"));
        return File.Exists(assembly)
            ? assembly
            : throw new CannotPlay($"There is no host at {assembly}: build it (dotnet build host -c {configuration}), or say with --url where one runs.");
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    // Nobody reads along, and a full pipe would stop the host. The last lines say why it ended, if it does.
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
            _said.Enqueue(line);
            if (_said.Count > LinesKept) _said.Dequeue();
        }
    }

    private string Said()
    {
        lock (_said) return string.Join('\n', _said);
    }

    private async Task BecomesReady(CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(5) };
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < LongestStart)
        {
            if (_process.HasExited)
            {
                await _process.WaitForExitAsync(cancellation); // for the last of what it said
                throw new CannotPlay($"The host ended before it was ready:\n{Said()}");
            }

            try
            {
                using var answer = await http.GetAsync("health/ready", cancellation);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (Exception notYet) when (notYet is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                // It listens only when its database is there.
            }

            await Task.Delay(BetweenLooks, cancellation);
        }

        throw new CannotPlay($"The host was not ready within {LongestStart.TotalSeconds:0} s:\n{Said()}");
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

    private string InData(params string[] names) => Path.Combine([_directory, ".data", .. names]);

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
