using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

#if SIMULATOR
namespace CallOrchestration.Simulator.Postgres;
#else
namespace CallOrchestration.Host;
#endif

/// <summary>PostgreSQL's programs on this machine, the system's own beside them, and the user who runs them.</summary>
internal sealed partial class PostgresPrograms
{
    public const string NameADatabase = "Or set ConnectionStrings__CallOrchestration to a database of your own.";

    private const int OldestVersion = 14; // the contract's
    private const int CommandSeconds = 30; // for what ends at once unless something is badly wrong

    // runuser opens no login session, whose end could take the server with it; where there is none (Alpine), su has to do.
    private static readonly string? Runuser = new[] { "/usr/sbin/runuser", "/sbin/runuser", "/usr/bin/runuser" }.FirstOrDefault(File.Exists);

    // Where the packages of Debian, Red Hat, Alpine and Homebrew put them, for when they are not on the PATH.
    private static readonly (string Parent, string Pattern, string Programs)[] UsualPlaces =
    [
        ("/usr/lib/postgresql", "*", "bin"), ("/usr", "pgsql-*", "bin"), ("/usr/libexec", "postgresql*", ""),
        ("/opt/homebrew/opt", "postgresql@*", "bin"), ("/usr/local/opt", "postgresql@*", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@*", "bin"),
    ];

    private static readonly string[] Needed = ["initdb", "pg_ctl", "postgres"];

    private readonly string _directory;

    private PostgresPrograms(string? user, string directory) => (User, _directory) = (user, directory);

    public string? User { get; }

    /// <summary>The newest programs, or for a cluster that exists those of its version: no other can read it.</summary>
    /// <param name="user">Who runs them; null is the user of this process.</param>
    /// <param name="dataDirectory">Where the cluster is, or will be.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<PostgresPrograms> Find(string? user, string dataDirectory, CancellationToken cancellation)
    {
        var installed = new SortedDictionary<int, string>();
        foreach (var directory in await Candidates(cancellation))
        {
            // Asked as the user who will run them, so that programs which that user cannot reach are not found at all.
            var (exitCode, output) = await Run(user, CommandSeconds, [Path.Combine(directory, "initdb"), "--version"], cancellation);
            if (exitCode == 0 && MajorVersion().Match(output) is { Success: true } match)
                installed.TryAdd(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), directory);
        }
        var newest = installed.LastOrDefault();
        if (newest.Key < OldestVersion)
        {
            throw new EmbeddedPostgresException(
                $"PostgreSQL {OldestVersion} or newer is needed, and {(newest.Key == 0 ? "none" : $"only {newest.Key}")} is installed: install it "
                + "(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17). "
                + NameADatabase);
        }
        var versionFile = Path.Combine(dataDirectory, "PG_VERSION");
        if (!File.Exists(versionFile))
            return new PostgresPrograms(user, newest.Value);
        var version = int.Parse(await File.ReadAllTextAsync(versionFile, cancellation), CultureInfo.InvariantCulture);
        return new PostgresPrograms(user, installed.GetValueOrDefault(version) ?? throw new EmbeddedPostgresException(
            $"{dataDirectory} was made by PostgreSQL {version}, and installed is PostgreSQL {string.Join(", ", installed.Keys)}: "
            + $"install PostgreSQL {version}, or move that directory away to begin with an empty database. {NameADatabase}"));
    }

    /// <summary>Runs one of PostgreSQL's programs; its output may hold paths, never the password.</summary>
    public Task<(int ExitCode, string Output)> Run(int seconds, string program, string[] arguments, CancellationToken cancellation) =>
        Run(User, seconds, [Path.Combine(_directory, program), .. arguments], cancellation);

    /// <summary>Runs one of the system's programs, as this process's user or another one; null if it failed.</summary>
    public static async Task<string?> Ask(string? user, string[] command, CancellationToken cancellation) =>
        await Run(user, CommandSeconds, command, cancellation) is (0, var output) ? output.Trim() : null;

    public static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>The last lines of a program's output, for a message.</summary>
    public static string Tail(string output) => string.Join('\n', output.Trim().Split('\n').TakeLast(15));

    private static async Task<IEnumerable<string>> Candidates(CancellationToken cancellation)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        // A program on the PATH is often a link, and the others lie beside the link's target only.
        var found = path.Select(directory => new FileInfo(Path.Combine(directory, "initdb"))).Where(file => file.Exists)
            .Select(file => (file.ResolveLinkTarget(returnFinalTarget: true) ?? file).FullName)
            .Select(file => Path.GetDirectoryName(file)!).ToList();
        if (path.Any(directory => File.Exists(Path.Combine(directory, "pg_config"))))
            found.Add(await Ask(null, ["pg_config", "--bindir"], cancellation) ?? "");
        found.AddRange(UsualPlaces.Where(place => Directory.Exists(place.Parent)).SelectMany(place =>
            Directory.EnumerateDirectories(place.Parent, place.Pattern).Select(version => Path.Combine(version, place.Programs))));
        return found.Distinct().Where(directory => Needed.All(program => File.Exists(Path.Combine(directory, program))));
    }

    private static async Task<(int ExitCode, string Output)> Run(string? user, int seconds, string[] command, CancellationToken cancellation)
    {
        var start = user is null ? new ProcessStartInfo(command[0], command[1..])
            : Runuser is not null ? new ProcessStartInfo(Runuser, ["-u", user, "--", .. command])
            : new ProcessStartInfo("su", ["-s", "/bin/sh", "-c", string.Join(' ', command.Select(Quote)), user]);
        start.WorkingDirectory = "/"; // the present one may be closed to the other user
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        // The host's environment may hold the provider's secrets, and PG… variables that mean another database.
        start.Environment.Clear();
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        start.Environment["LC_ALL"] = "C";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        using var process = Process.Start(start)!;
        try
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellation.ThrowIfCancellationRequested();
            throw new EmbeddedPostgresException($"{Path.GetFileName(command[0])} did not end within {seconds} s.");
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)")]
    private static partial Regex MajorVersion();
}
