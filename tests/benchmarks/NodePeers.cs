using System.Diagnostics;

namespace CallOrchestration.Benchmarks;

/// <summary>The peers that run in Node: where they lie, how they are installed, how they are started.</summary>
internal static class NodePeers
{
    private static readonly TimeSpan LongestInstall = TimeSpan.FromMinutes(5);

    private static string Directory { get; } = Find();

    // The Node of the package, not the machine's: both queues need version 22.
    private static string Node => Path.Combine(Directory, "node_modules", "node", "bin", "node");

    /// <summary>Installs what package-lock.json names, unless that was done or is not needed.</summary>
    public static async Task Install(Bench bench)
    {
        if (bench.Options.Alone || File.Exists(Node)) return;
        Bench.Tell($"npm ci in {Path.GetRelativePath(Environment.CurrentDirectory, Directory)}, once");
        ProcessStartInfo start = new("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = Directory };
        try
        {
            await using var npm = Child.Start("npm ci", start);
            await npm.Ended(bench.Cancellation).WaitAsync(LongestInstall, bench.Cancellation);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CannotMeasureException(
                "npm is missing, and the peers in Node come by it: install Node.js with npm (any version in use will do) and start again.");
        }

        if (!File.Exists(Node)) throw new CannotMeasureException($"npm ci ended well, but there is no Node at {Node}: was its install script refused?");
    }

    public static ProcessStartInfo Script(string script, string settings, params string[] arguments)
    {
        var start = new ProcessStartInfo(Node, [Path.Combine(Directory, script), .. arguments]);
        // Not on the command line, which every user of the machine can read: the connection's password is in it.
        start.Environment["BENCHMARK_SETTINGS"] = settings;
        start.Environment["NODE_ENV"] = "production";
        return start;
    }

    /// <summary>A connection string as Node's drivers read it.</summary>
    public static string Url(string connectionString)
    {
        var parts = new NpgsqlConnectionStringBuilder(connectionString);
        return $"postgres://{parts.Username}:{Uri.EscapeDataString(parts.Password!)}@{parts.Host}:{parts.Port}/{parts.Database}";
    }

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (System.IO.Directory.Exists(Path.Combine(directory.FullName, "peers"))) return Path.Combine(directory.FullName, "peers");
        }

        throw new CannotMeasureException(
            $"No peers lie above {AppContext.BaseDirectory}: run this from the repository (dotnet run -c Release --project tests/benchmarks).");
    }
}
