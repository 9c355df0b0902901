using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

#if SIMULATOR
namespace CallOrchestration.Simulator.Postgres;
#else
namespace CallOrchestration.Host;
#endif

/// <summary>The server process of one cluster. Who starts or stops it has locked out all others: see <see cref="EmbeddedPostgres"/>.</summary>
internal sealed class PostgresServer(PostgresPrograms programs, string dataDirectory, IReadOnlyDictionary<string, string> serverSettings)
{
    public const int StartSeconds = 60; // a start includes the recovery after a crash, of at most max_wal_size
    private const int StopSeconds = 30;
    private const int StartAttempts = 20;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Process and port as in postmaster.pid, if that process does serve this cluster; null if none does. After a power cut the file is still
    /// there, and the process id in it may belong to anything by now.
    /// </summary>
    public (int Process, int Port)? Running()
    {
        try
        {
            var lines = File.ReadAllLines(InCluster("postmaster.pid"));
            var (process, port) = (int.Parse(lines[0], CultureInfo.InvariantCulture), int.Parse(lines[3], CultureInfo.InvariantCulture));
            return CommandLine(process).Contains(dataDirectory, StringComparison.Ordinal) ? (process, port) : null;
        }
        catch (Exception exception) when (exception is IOException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            return null; // no such file, no such process, or half a file
        }
    }

    /// <summary>Returns once the server accepts connections.</summary>
    /// <param name="port">Null: any free one.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <returns>The port.</returns>
    public async Task<int> Launch(int? port, CancellationToken cancellation)
    {
        var log = InCluster("server.log");
        for (var attempt = 1; ; attempt++)
        {
            await DisownStaleProcess(cancellation);
            // Each start begins a new log and keeps the last one. With the little that is logged, this keeps it small.
            if (File.Exists(log))
                File.Move(log, log + ".1", overwrite: true);
            var chosen = port ?? FreePort();
            // As options: were root to write a file into the cluster, the server's user could have made it a link to any file of the system.
            string[] arguments =
                ["start", "--pgdata", dataDirectory, "--log", log, "--wait", "--timeout", $"{StartSeconds}", "--options", Options(chosen)];
            // Not cancelled half way: what comes up a moment later would be nobody's.
            var (exitCode, output) = await programs.Run(StartSeconds * 2, "pg_ctl", arguments, CancellationToken.None);
            if (exitCode == 0)
                return chosen;
            if (File.Exists(log))
                output = await File.ReadAllTextAsync(log, cancellation);
            // Somebody else was faster on that port, or backends of a killed server are still on their way out. All else would only fail again.
            var passing = output.Contains("could not bind", StringComparison.Ordinal) || output.Contains("is still in use", StringComparison.Ordinal);
            if (!passing || attempt == StartAttempts)
                throw new EmbeddedPostgresException($"PostgreSQL did not start on {dataDirectory}: {PostgresPrograms.Tail(output)}");
            await Task.Delay(BetweenAttempts, cancellation);
        }
    }

    /// <param name="mode">PostgreSQL's word: <c>fast</c> disconnects everybody and is orderly, <c>immediate</c> is a crash.</param>
    public async Task Stop(string mode)
    {
        // Asked first, since pg_ctl sends its signal to whatever process has the id in postmaster.pid by now.
        if (Running() is null)
            return;
        string[] arguments = ["stop", "--pgdata", dataDirectory, "--mode", mode, "--wait", "--timeout", $"{StopSeconds}"];
        var (exitCode, output) = await programs.Run(StopSeconds * 2, "pg_ctl", arguments, CancellationToken.None);
        if (exitCode == 0 || Running() is null)
            return;
        if (mode == "immediate")
            throw new EmbeddedPostgresException($"The PostgreSQL server of {dataDirectory} did not stop: {PostgresPrograms.Tail(output)}");
        await Stop("immediate");
    }

    private string Options(int port)
    {
        // PostgreSQL's defaults are durable; nothing here weakens them.
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = $"{port}",
            ["unix_socket_directories"] = "",
            ["max_connections"] = "200",
            ["max_wal_size"] = "512MB",
            ["timezone"] = "UTC",
            ["log_timezone"] = "UTC",
            // PostgreSQL's messages quote keys, rows and parameters, phone numbers among them. The host hears of each error anyway, so a statement's
            // error is not logged at all (the level 'log' is above 'error'), and the rest without details and statements.
            ["log_min_messages"] = "log",
            ["log_min_error_statement"] = "panic",
            ["log_error_verbosity"] = "terse",
            ["log_statement"] = "none",
            ["log_min_duration_statement"] = "-1",
            ["log_parameter_max_length"] = "0",
            ["log_parameter_max_length_on_error"] = "0",
            ["log_checkpoints"] = "off",
        };
        foreach (var (name, value) in serverSettings)
            settings[name] = value;
        return string.Join(' ', settings.Select(setting => $"-c {PostgresPrograms.Quote($"{setting.Key}={setting.Value}")}"));
    }

    /// <summary>
    /// PostgreSQL sees through a stale postmaster.pid, unless the id in it has been given to another process of the same user. So that id is replaced
    /// by an impossible one. The file itself stays, since its last lines are PostgreSQL's guard against backends that outlived their server.
    /// </summary>
    private async Task DisownStaleProcess(CancellationToken cancellation)
    {
        const string Script = "rest=$(tail -n +2 \"$1\") && printf '%s\\n' 2147483647 \"$rest\" > \"$1\"";
        if (File.Exists(InCluster("postmaster.pid")) && Running() is null)
            await PostgresPrograms.Ask(programs.User, ["sh", "-c", Script, "sh", InCluster("postmaster.pid")], cancellation);
    }

    private static string CommandLine(int process)
    {
        if (Directory.Exists("/proc/self"))
            return File.ReadAllText($"/proc/{process}/cmdline");
        using var ps = Process.Start(new ProcessStartInfo("ps", ["-ww", "-o", "args=", "-p", $"{process}"]) { RedirectStandardOutput = true })!;
        return ps.StandardOutput.ReadToEnd();
    }

    /// <summary>Not one for outgoing connections: a client that tries on and on while the server is down would connect to itself.</summary>
    private static int FreePort()
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            var port = RandomNumberGenerator.GetInt32(20_000, 32_000);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
        throw new EmbeddedPostgresException("No free port was found on 127.0.0.1 between 20000 and 32000.");
    }

    private string InCluster(string name) => Path.Combine(dataDirectory, name);
}
