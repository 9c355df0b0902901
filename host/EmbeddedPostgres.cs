using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

#pragma warning disable CA1416 // Start refuses Windows before anything else, which the analyzer cannot see from the other methods

#if SIMULATOR
namespace CallOrchestration.Simulator.Postgres;
#else
namespace CallOrchestration.Host;
#endif

/// <summary>Why the private PostgreSQL cannot be used, as a sentence for the person at the terminal; never with a password in it.</summary>
internal sealed class EmbeddedPostgresException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// A private PostgreSQL server, run by the PostgreSQL programs of this machine, with its data kept in one directory. Several processes may share it:
/// each holds a shared lock on <c>in-use.lock</c>, which the kernel drops also when the process is killed, and whoever finds nobody else on that lock
/// when leaving stops the server. Starting and stopping happen under the exclusive <c>starting.lock</c>.
/// </summary>
internal sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const string UserAndDatabase = "call_orchestration";

    // Who waits for the lock may wait for another's whole first start.
    private const int InitdbSeconds = 100;
    private const int LockSeconds = InitdbSeconds + PostgresServer.StartSeconds + 20;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private const UnixFileMode OwnerReads = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerEnters = OwnerReads | UnixFileMode.UserExecute;
    private const UnixFileMode OthersPass = OwnerEnters | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly string _directory;
    private readonly IReadOnlyDictionary<string, string> _serverSettings;
    private PostgresServer? _server;
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
    /// <param name="serverSettings">PostgreSQL's own settings, over those in <see cref="PostgresServer"/>; a server that runs keeps its own.</param>
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
            var hint = exception is UnauthorizedAccessException ? " It belongs to another user, perhaps to root: start as that user." : "";
            throw new EmbeddedPostgresException(
                $"The private PostgreSQL in {postgres._directory} cannot be used: {exception.Message}{hint}", exception);
        }
    }

    /// <summary>Starts a stopped server again, on its old port.</summary>
    public async Task StartServer()
    {
        await using var starting = await LockStarting(CancellationToken.None);
        await _server!.Launch(_port, CancellationToken.None);
    }

    /// <summary>Stops the server under the feet of everybody who uses it.</summary>
    /// <param name="mode">PostgreSQL's word: <c>fast</c> disconnects everybody and is orderly, <c>immediate</c> is a crash.</param>
    public async Task StopServer(string mode)
    {
        await using var starting = await LockStarting(CancellationToken.None);
        await _server!.Stop(mode);
    }

    public async ValueTask DisposeAsync()
    {
        if (_inUse is null)
            return;
        await using var starting = await LockStarting(CancellationToken.None);
        Abandon();
        await using var alone = TryLock("in-use.lock", FileShare.None);
        if (alone is not null && _server is not null)
            await _server.Stop("fast");
    }

    /// <summary>Leaves things as a killed process does: the server runs on, and nobody holds it.</summary>
    internal void Abandon()
    {
        _inUse?.Dispose();
        _inUse = null;
    }

    private async Task Open(CancellationToken cancellation)
    {
        MakeDirectory(_directory, OwnerEnters);
        await using var starting = await LockStarting(cancellation);
        _inUse = TryLock("in-use.lock", FileShare.Read)
            ?? throw new EmbeddedPostgresException($"{_directory}/in-use.lock is locked by another program.");
        var programs = await PostgresPrograms.Find(await ChooseUserAndPlace(cancellation), DataDirectory, cancellation);
        _server = new PostgresServer(programs, DataDirectory, _serverSettings);
        var exists = File.Exists(Path.Combine(DataDirectory, "PG_VERSION"));
        await ReadOrMakePassword(exists);
        if (!exists)
            await CreateCluster(programs, cancellation);
        if (!await Join(_server, cancellation))
            _port = await _server.Launch(null, cancellation);
        await CreateDatabase(cancellation);
        await WritePrivate(Path.Combine(_directory, "connection-string"), ConnectionString + "\n");
    }

    /// <summary>
    /// PostgreSQL refuses to run as root. There it is run by the owner of the cluster, or for a new one by the user <c>postgres</c>, whom all
    /// packages of PostgreSQL make. Where that user cannot reach the directory (a clone below /root), the cluster is put under /var/lib, and
    /// <c>postgres</c> is a symbolic link to it. Its name there is random and not made from the path: a new clone in an old one's place must not
    /// touch the old one's data.
    /// </summary>
    /// <returns>The user; null is the one of this process.</returns>
    private async Task<string?> ChooseUserAndPlace(CancellationToken cancellation)
    {
        // Free of links, since this path is compared with what a running server says of itself.
        string[] realPath = ["sh", "-c", "cd -- \"$1\" && pwd -P", "sh", _directory];
        var link = Path.Combine(await PostgresPrograms.Ask(null, realPath, cancellation) ?? _directory, "postgres");
        var target = new DirectoryInfo(link).LinkTarget;
        DataDirectory = target ?? link;
        if (!Environment.IsPrivilegedProcess)
            return null;
        if (Directory.Exists(DataDirectory) && await PostgresPrograms.Ask(null, ["ls", "-ld", DataDirectory], cancellation) is { } listed)
            return listed.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2];
        const string User = "postgres";
        if (await PostgresPrograms.Ask(null, ["id", "-u", User], cancellation) is null)
        {
            throw new EmbeddedPostgresException(
                $"PostgreSQL refuses to run as root, and there is no user '{User}' to run it: make one, or start as an ordinary user. "
                + PostgresPrograms.NameADatabase);
        }
        // That user has to pass to the cluster. All that lies in the directory has a closed mode of its own.
        File.SetUnixFileMode(_directory, File.GetUnixFileMode(_directory) | OthersPass);
        if (target is null && await PostgresPrograms.Ask(User, realPath, cancellation) is null)
        {
            DataDirectory = $"/var/lib/call-orchestration/{Random()}/postgres";
            File.CreateSymbolicLink(link, DataDirectory);
        }
        return User;
    }

    private async Task ReadOrMakePassword(bool clusterExists)
    {
        var file = Path.Combine(_directory, "password");
        if (!File.Exists(file))
        {
            if (clusterExists)
            {
                throw new EmbeddedPostgresException(
                    $"{file} is missing: put it back, or move {_directory}/postgres away to begin with an empty database.");
            }
            await WritePrivate(file, RandomNumberGenerator.GetHexString(64, lowercase: true)); // 256 bits
        }
        _password = (await File.ReadAllTextAsync(file)).Trim();
    }

    /// <summary>initdb works beside the place, and only a finished cluster is moved there: a half-made one never trips the next start.</summary>
    private async Task CreateCluster(PostgresPrograms programs, CancellationToken cancellation)
    {
        var parent = Path.GetDirectoryName(DataDirectory)!;
        if (programs.User is not null)
        {
            MakeDirectory(Path.GetDirectoryName(parent)!, OthersPass);
            MakeDirectory(parent, OthersPass);
        }
        foreach (var unfinished in Directory.EnumerateDirectories(parent, "postgres.new-*"))
        {
            try
            {
                Directory.Delete(unfinished, recursive: true);
            }
            catch (IOException)
            {
                // The initdb of a killed host still writes there. It is in nobody's way.
            }
        }
        var workplace = Path.Combine(parent, $"postgres.new-{Random()}");
        MakeDirectory(workplace, OwnerEnters);
        // The server's user cannot read our own password file, and a command line can be read by everybody.
        var passwordFile = Path.Combine(workplace, "password");
        await WritePrivate(passwordFile, _password);
        if (programs.User is not null && await PostgresPrograms.Ask(null, ["chown", "-R", programs.User, workplace], cancellation) is null)
            throw new EmbeddedPostgresException($"{workplace} could not be given to the user {programs.User}.");
        var data = Path.Combine(workplace, "data");
        string[] sync = _serverSettings.GetValueOrDefault("fsync") == "off" ? ["--no-sync"] : [];
        string[] arguments = ["--pgdata", data, "--username", UserAndDatabase, "--auth", "scram-sha-256", "--pwfile", passwordFile,
            "--encoding", "UTF8", "--locale", "C", "--data-checksums", .. sync];
        var (exitCode, output) = await programs.Run(InitdbSeconds, "initdb", arguments, cancellation);
        if (exitCode != 0)
            throw new EmbeddedPostgresException($"PostgreSQL's initdb failed: {PostgresPrograms.Tail(output)}");
        Directory.Move(data, DataDirectory);
        Directory.Delete(workplace, recursive: true);
    }

    /// <summary>Joins a server that runs already, another process's or the leftover of a killed one; false if there is none.</summary>
    private async Task<bool> Join(PostgresServer server, CancellationToken cancellation)
    {
        for (var waited = Stopwatch.StartNew(); server.Running() is var (process, port); await Task.Delay(PollInterval, cancellation))
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
            if (waited.Elapsed.TotalSeconds > PostgresServer.StartSeconds)
            {
                throw new EmbeddedPostgresException(
                    $"The PostgreSQL server of {DataDirectory} (process {process}, port {port}) does not answer: end it, then start again.");
            }
        }
        return false;
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
                Mode = FileMode.OpenOrCreate,
                Access = share == FileShare.None ? FileAccess.ReadWrite : FileAccess.Read,
                Share = share,
                UnixCreateMode = OwnerReads,
            });
        }
        catch (IOException exception) when (exception.HResult is 11 or 35) // EWOULDBLOCK of Linux, of macOS
        {
            return null;
        }
    }

    /// <summary>Leaves the mode of a directory that exists alone; a new one gets exactly this mode, whatever the umask.</summary>
    private static void MakeDirectory(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path))
            return;
        Directory.CreateDirectory(path, mode);
        File.SetUnixFileMode(path, mode);
    }

    /// <summary>A new file takes the old one's place: never half written, never readable for others, also where the old one was root's.</summary>
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

    private static string Random() => RandomNumberGenerator.GetHexString(12, lowercase: true);
}
