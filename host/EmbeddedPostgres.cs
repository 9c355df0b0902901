using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

#pragma warning disable CA1416 // Start refuses Windows before anything else, which the analyzer cannot see from the other methods

namespace CallOrchestration.Host;

/// <summary>Why the private PostgreSQL cannot be used, as a sentence for the person at the terminal; never with a password in it.</summary>
internal sealed class EmbeddedPostgresException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// A private PostgreSQL server, run by the PostgreSQL programs of this machine, with its data kept in one directory. Several processes may share it:
/// each holds a shared lock on <c>in-use.lock</c>, which the kernel drops also when the process is killed, and whoever finds nobody else on that lock
/// when leaving stops the server. Starting and stopping happen under the exclusive <c>starting.lock</c>.
/// </summary>
/// <remarks>Longer than other files: making, starting, sharing and stopping a server make sense only together.</remarks>
internal sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const string UserAndDatabase = "call_orchestration";

    // A start includes the recovery after a crash, of at most max_wal_size. Who waits for the lock may wait for another's whole first start.
    private const int InitdbSeconds = 100;
    private const int StartSeconds = 60;
    private const int StartAttempts = 20;
    private const int StopSeconds = 30;
    private const int LockSeconds = 180;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private const UnixFileMode OwnerReads = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerEnters = OwnerReads | UnixFileMode.UserExecute;
    private const UnixFileMode OthersPass = OwnerEnters | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly string _directory;
    private readonly IReadOnlyDictionary<string, string> _serverSettings;
    private PostgresPrograms? _programs;
    private string? _serverUser; // null: the user of this process
    private string _password = "";
    private int _port;
    private FileStream? _inUse;

    private EmbeddedPostgres(string directory, IReadOnlyDictionary<string, string>? serverSettings)
    {
        _directory = Path.GetFullPath(directory);
        _serverSettings = serverSettings ?? new Dictionary<string, string>();
        DataDirectory = Path.Combine(_directory, "postgres");
    }

    /// <summary>Where the cluster really lies, which is not always below the directory given to <see cref="Start"/>.</summary>
    public string DataDirectory { get; private set; }

    // RequireAuth: while our server is down another local user may listen on its port, and must not be told the password for the asking.
    public string ConnectionString => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1", Port = _port, Username = UserAndDatabase, Password = _password, Database = UserAndDatabase,
        RequireAuth = "ScramSHA256", SslMode = SslMode.Disable, GssEncryptionMode = GssEncryptionMode.Disable,
    }.ConnectionString;

    /// <summary>Makes the cluster if there is none, and starts its server, or joins the one that runs.</summary>
    /// <param name="directory">Holds the cluster, its password, the connection string (for people and tools), the locks.</param>
    /// <param name="serverSettings">PostgreSQL's own settings, over those in <see cref="ServerOptions"/>; a server that runs already keeps its own.</param>
    /// <param name="cancellation">Gives up, and leaves no server behind.</param>
    /// <exception cref="EmbeddedPostgresException">PostgreSQL is missing, or does not do what it should.</exception>
    public static async Task<EmbeddedPostgres> Start(
        string directory, IReadOnlyDictionary<string, string>? serverSettings = null, CancellationToken cancellation = default)
    {
        if (OperatingSystem.IsWindows())
            throw new EmbeddedPostgresException($"The private PostgreSQL runs on Linux and macOS only. {PostgresPrograms.NameADatabase}");
        var postgres = new EmbeddedPostgres(directory, serverSettings);
        try
        {
            await postgres.Open(cancellation);
            return postgres;
        }
        catch (Exception exception)
        {
            await postgres.DisposeAsync();
            if (exception is not (IOException or UnauthorizedAccessException or Win32Exception or NpgsqlException))
                throw;
            var hint = exception is UnauthorizedAccessException ? " It belongs to another user, perhaps to root." : "";
            throw new EmbeddedPostgresException($"The private PostgreSQL in {postgres._directory} cannot be used: {exception.Message}{hint}", exception);
        }
    }

    /// <summary>Starts a stopped server again, on its old port.</summary>
    public async Task StartServer()
    {
        await using var starting = await LockStarting(CancellationToken.None);
        await Launch(Enumerable.Repeat(_port, StartAttempts), CancellationToken.None);
    }

    /// <summary>Stops the server under the feet of everybody who uses it.</summary>
    /// <param name="mode">PostgreSQL's word: <c>fast</c> disconnects everybody and is orderly, <c>immediate</c> is a crash.</param>
    public async Task StopServer(string mode)
    {
        await using var starting = await LockStarting(CancellationToken.None);
        await Stop(mode);
    }

    public async ValueTask DisposeAsync()
    {
        if (_inUse is null)
            return;
        await using var starting = await LockStarting(CancellationToken.None);
        Abandon();
        await using var alone = TryLock("in-use.lock", FileShare.None);
        if (alone is not null)
            await Stop("fast");
    }

    /// <summary>Leaves things as a killed process does: the server runs on, and nobody holds it.</summary>
    internal void Abandon()
    {
        _inUse?.Dispose();
        _inUse = null;
    }

    private async Task Open(CancellationToken cancellation)
    {
        // As root, the server's user has to pass to the cluster. All that lies in the directory has a closed mode of its own.
        MakeDirectory(_directory, Environment.IsPrivilegedProcess ? OthersPass : OwnerEnters);
        await using var starting = await LockStarting(cancellation);
        _inUse = TryLock("in-use.lock", FileShare.Read) ?? throw new EmbeddedPostgresException($"{_directory}/in-use.lock is locked by another program.");
        await ChooseUserAndPlace(cancellation);
        _programs = await PostgresPrograms.Find(_serverUser, DataDirectory, cancellation);
        await ReadOrMakePassword();
        if (!File.Exists(InCluster("PG_VERSION")))
            await CreateCluster(cancellation);
        if (!await Join(cancellation))
            await Launch(Enumerable.Range(0, StartAttempts).Select(_ => FreePort()), cancellation);
        await CreateDatabase(cancellation);
        await WritePrivate(Path.Combine(_directory, "connection-string"), ConnectionString + "\n");
    }

    /// <summary>
    /// PostgreSQL refuses to run as root. There it is run by the owner of the cluster, or for a new one by the user <c>postgres</c>, whom all packages
    /// of PostgreSQL make. Where that user cannot reach the directory (a clone below /root), the cluster is put under /var/lib, and <c>postgres</c> is
    /// a symbolic link to it. Its name there is random and not made from the path: a new clone in an old one's place must not touch the old one's data.
    /// </summary>
    private async Task ChooseUserAndPlace(CancellationToken cancellation)
    {
        // Free of links, since this path is compared with what a running server says of itself.
        string[] realPath = ["sh", "-c", "cd -- \"$1\" && pwd -P", "sh", _directory];
        var link = Path.Combine(await PostgresPrograms.Ask(null, realPath, cancellation) ?? _directory, "postgres");
        var target = new DirectoryInfo(link).LinkTarget;
        DataDirectory = target ?? link;
        if (!Environment.IsPrivilegedProcess)
            return;
        if (Directory.Exists(DataDirectory))
        {
            var listed = await PostgresPrograms.Ask(null, ["ls", "-ld", DataDirectory], cancellation);
            _serverUser = listed?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2];
            return;
        }
        _serverUser = "postgres";
        if (await PostgresPrograms.Ask(null, ["id", "-u", _serverUser], cancellation) is null)
        {
            throw new EmbeddedPostgresException(
                $"PostgreSQL refuses to run as root, and there is no user 'postgres' to run it: make one, or start as an ordinary user. {PostgresPrograms.NameADatabase}");
        }
        if (target is null && await PostgresPrograms.Ask(_serverUser, realPath, cancellation) is null)
        {
            DataDirectory = $"/var/lib/call-orchestration/{Random()}/postgres";
            File.CreateSymbolicLink(link, DataDirectory);
        }
    }

    private async Task ReadOrMakePassword()
    {
        var file = Path.Combine(_directory, "password");
        if (!File.Exists(file))
        {
            if (File.Exists(InCluster("PG_VERSION")))
                throw new EmbeddedPostgresException($"{file} is missing: put it back, or move {_directory}/postgres away to begin with an empty database.");
            await WritePrivate(file, RandomNumberGenerator.GetHexString(64, lowercase: true)); // 256 bits
        }
        _password = (await File.ReadAllTextAsync(file)).Trim();
    }

    /// <summary>initdb works beside the place, and only a finished cluster is moved there: a half-made one is no obstacle to the next start.</summary>
    private async Task CreateCluster(CancellationToken cancellation)
    {
        var parent = Path.GetDirectoryName(DataDirectory)!;
        if (_serverUser is not null)
        {
            MakeDirectory(Path.GetDirectoryName(parent)!, OthersPass);
            MakeDirectory(parent, OthersPass);
        }
        foreach (var unfinished in Directory.EnumerateDirectories(parent, "postgres.new-*"))
            Directory.Delete(unfinished, recursive: true);
        var workplace = Path.Combine(parent, $"postgres.new-{Random()}");
        MakeDirectory(workplace, OwnerEnters);
        // The server's user cannot read our own password file, and a command line can be read by everybody.
        var passwordFile = Path.Combine(workplace, "password");
        await WritePrivate(passwordFile, _password);
        if (_serverUser is not null && await PostgresPrograms.Ask(null, ["chown", "-R", _serverUser, workplace], cancellation) is null)
            throw new EmbeddedPostgresException($"{workplace} could not be given to the user {_serverUser}.");
        var data = Path.Combine(workplace, "data");
        string[] sync = _serverSettings.GetValueOrDefault("fsync") == "off" ? ["--no-sync"] : [];
        string[] arguments = ["--pgdata", data, "--username", UserAndDatabase, "--auth", "scram-sha-256", "--pwfile", passwordFile,
            "--encoding", "UTF8", "--locale", "C", "--data-checksums", .. sync];
        var (exitCode, output) = await _programs!.Run(InitdbSeconds, "initdb", arguments, cancellation);
        if (exitCode != 0)
            throw new EmbeddedPostgresException($"PostgreSQL's initdb failed: {Tail(output)}");
        Directory.Move(data, DataDirectory);
        Directory.Delete(workplace, recursive: true);
    }

    /// <summary>Joins a server that runs already, another process's or the leftover of a killed one; false if there is none.</summary>
    private async Task<bool> Join(CancellationToken cancellation)
    {
        for (var waited = Stopwatch.StartNew(); RunningServer() is var (process, port); await Task.Delay(PollInterval, cancellation))
        {
            _port = port;
            try
            {
                await using var connection = await Connect(cancellation);
                await using var command = new NpgsqlCommand("show data_directory", connection);
                if ((string?)await command.ExecuteScalarAsync(cancellation) == DataDirectory)
                    return true;
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InvalidPassword)
            {
                throw new EmbeddedPostgresException($"{_directory}/password is not the password of the cluster in {DataDirectory}.", exception);
            }
            catch (NpgsqlException)
            {
                // It is starting, recovering or stopping: soon it answers, or is gone.
            }
            if (waited.Elapsed.TotalSeconds > StartSeconds)
                throw new EmbeddedPostgresException($"The PostgreSQL server of {DataDirectory} (process {process}, port {port}) does not answer: end it, then start again.");
        }
        return false;
    }

    /// <summary>
    /// Process and port as in postmaster.pid, if that process does serve this cluster. After a power cut the file is still there, and the process id
    /// in it may belong to anything by now.
    /// </summary>
    private (int Process, int Port)? RunningServer()
    {
        try
        {
            var lines = File.ReadAllLines(InCluster("postmaster.pid"));
            var process = int.Parse(lines[0], CultureInfo.InvariantCulture);
            return CommandLine(process).Contains(DataDirectory, StringComparison.Ordinal) ? (process, int.Parse(lines[3], CultureInfo.InvariantCulture)) : null;
        }
        catch (Exception exception) when (exception is IOException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            return null; // no such file, no such process, or half a file
        }
    }

    private static string CommandLine(int process)
    {
        if (Directory.Exists("/proc/self"))
            return File.ReadAllText($"/proc/{process}/cmdline");
        using var ps = Process.Start(new ProcessStartInfo("ps", ["-ww", "-o", "args=", "-p", $"{process}"]) { RedirectStandardOutput = true })!;
        return ps.StandardOutput.ReadToEnd();
    }

    private async Task Launch(IEnumerable<int> ports, CancellationToken cancellation)
    {
        var log = InCluster("server.log");
        var output = "";
        foreach (var port in ports)
        {
            _port = port;
            await DisownStaleProcess(cancellation);
            // Each start begins a new log and keeps the last one. With the little that is logged, this keeps it small.
            if (File.Exists(log))
                File.Move(log, log + ".1", overwrite: true);
            // As options: were root to write a file into the cluster, the server's user could have made it a link to any file of the system.
            string[] arguments = ["start", "--pgdata", DataDirectory, "--log", log, "--wait", "--timeout", $"{StartSeconds}", "--options", ServerOptions()];
            (var exitCode, output) = await _programs!.Run(StartSeconds * 2, "pg_ctl", arguments, cancellation);
            if (exitCode == 0)
                return;
            output = File.Exists(log) ? await File.ReadAllTextAsync(log, cancellation) : output;
            // Somebody else was faster on that port, or backends of a killed server are still on their way out. Anything else stays as it is.
            if (!output.Contains("could not bind", StringComparison.Ordinal) && !output.Contains("is still in use", StringComparison.Ordinal))
                break;
            await Task.Delay(PollInterval * 10, cancellation);
        }
        throw new EmbeddedPostgresException($"PostgreSQL did not start on {DataDirectory}: {Tail(output)}");
    }

    private string ServerOptions()
    {
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = $"{_port}",
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
        foreach (var (name, value) in _serverSettings)
            settings[name] = value;
        return string.Join(' ', settings.Select(setting => $"-c {PostgresPrograms.Quote($"{setting.Key}={setting.Value}")}"));
    }

    /// <summary>
    /// PostgreSQL sees through a stale postmaster.pid, unless the id in it has been given to another process of the same user. So that id is replaced
    /// by an impossible one. The file itself stays, since its last line is PostgreSQL's guard against backends that outlived their server.
    /// </summary>
    private async Task DisownStaleProcess(CancellationToken cancellation)
    {
        const string Script = "rest=$(tail -n +2 \"$1\") && printf '%s\\n' 2147483647 \"$rest\" > \"$1\"";
        if (File.Exists(InCluster("postmaster.pid")) && RunningServer() is null)
            await PostgresPrograms.Ask(_serverUser, ["sh", "-c", Script, "sh", InCluster("postmaster.pid")], cancellation);
    }

    private async Task CreateDatabase(CancellationToken cancellation)
    {
        await using var connection = await Connect(cancellation);
        await using var exists = new NpgsqlCommand("select 1 from pg_database where datname = @name", connection);
        exists.Parameters.AddWithValue("name", UserAndDatabase);
        if (await exists.ExecuteScalarAsync(cancellation) is not null)
            return;
        await using var create = new NpgsqlCommand($"create database {UserAndDatabase}", connection);
        await create.ExecuteNonQueryAsync(cancellation);
    }

    private async Task Stop(string mode)
    {
        // Asked first, since pg_ctl sends its signal to whatever process has the id in postmaster.pid by now.
        if (_programs is null || RunningServer() is null)
            return;
        string[] arguments = ["stop", "--pgdata", DataDirectory, "--mode", mode, "--wait", "--timeout", $"{StopSeconds}"];
        var (exitCode, output) = await _programs.Run(StopSeconds * 2, "pg_ctl", arguments, CancellationToken.None);
        if (exitCode == 0 || RunningServer() is null)
            return;
        if (mode == "immediate")
            throw new EmbeddedPostgresException($"The PostgreSQL server of {DataDirectory} did not stop: {Tail(output)}");
        await Stop("immediate");
    }

    private async Task<NpgsqlConnection> Connect(CancellationToken cancellation)
    {
        var settings = new NpgsqlConnectionStringBuilder(ConnectionString) { Database = "postgres", Pooling = false, Timeout = 5 };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private async Task<FileStream> LockStarting(CancellationToken cancellation)
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed.TotalSeconds < LockSeconds; await Task.Delay(PollInterval, cancellation))
        {
            if (TryLock("starting.lock", FileShare.None) is { } locked)
                return locked;
        }
        throw new EmbeddedPostgresException(
            $"Another process has been starting or stopping the PostgreSQL in {_directory} for more than {LockSeconds} s: end it, then start again.");
    }

    /// <summary>Null if another process is in the way. On Unix this is flock, which belongs to the open file and ends with it.</summary>
    private FileStream? TryLock(string name, FileShare share)
    {
        try
        {
            return new FileStream(Path.Combine(_directory, name), new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate, Access = share == FileShare.None ? FileAccess.ReadWrite : FileAccess.Read, Share = share, UnixCreateMode = OwnerReads,
            });
        }
        catch (IOException exception) when (exception.HResult is 11 or 35) // EWOULDBLOCK of Linux, of macOS
        {
            return null;
        }
    }

    /// <summary>Not among the ports that outgoing connections get: a client that tries again and again while the server is down would connect to itself.</summary>
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

    /// <summary>Leaves the mode of a directory that exists alone; a new one gets exactly this mode, whatever the umask.</summary>
    private static void MakeDirectory(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path))
            return;
        Directory.CreateDirectory(path, mode);
        File.SetUnixFileMode(path, mode);
    }

    /// <summary>A new file takes the old one's place: never half written, never readable for others, and possible where the old one was root's.</summary>
    private static async Task WritePrivate(string path, string text)
    {
        var temporary = $"{path}.{Random()}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerReads };
        await using (var file = new FileStream(temporary, options))
        {
            await file.WriteAsync(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    private string InCluster(string name) => Path.Combine(DataDirectory, name);

    private static string Random() => RandomNumberGenerator.GetHexString(12, lowercase: true);

    private static string Tail(string output) => string.Join('\n', output.Trim().Split('\n').TakeLast(15));
}
