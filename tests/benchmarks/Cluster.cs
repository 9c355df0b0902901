using CallOrchestration.Host;

namespace CallOrchestration.Benchmarks;

/// <summary>
/// The one PostgreSQL of a run, the product's and the peers', started by the host's own code. Every run gets a fresh database, cloned from a template
/// that was filled once.
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    // Durable, and neither starved of memory nor stopped by a checkpoint in the middle of a run of seconds. The same for everybody.
    private static readonly Dictionary<string, string> ServerSettings = new()
    {
        ["fsync"] = "on",
        ["synchronous_commit"] = "on",
        ["full_page_writes"] = "on",
        ["shared_buffers"] = "1GB",
        ["max_wal_size"] = "8GB",
        ["checkpoint_timeout"] = "30min",
        ["max_connections"] = "300",
    };

    private static readonly string[] Shown =
    [
        "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "checkpoint_timeout",
        "max_connections", "work_mem", "autovacuum", "wal_level", "data_checksums",
    ];

    private readonly HashSet<string> templates = [];
    private readonly DirectoryInfo directory;
    private readonly bool keep;
    private EmbeddedPostgres? server;
    private int databases;

    private Cluster(bool keep)
    {
        this.keep = keep;
        directory = Directory.CreateTempSubdirectory("call-orchestration-benchmarks-");
        // As root, PostgreSQL runs as another user, who must get through to its data here.
        if (!OperatingSystem.IsWindows()) directory.UnixFileMode |= UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    }

    /// <summary>A directory that goes with the run.</summary>
    public string WorkDirectory => directory.FullName;

    public static async Task<Cluster> Start(BenchmarkOptions options, CancellationToken cancellation)
    {
        var cluster = new Cluster(options.Keep);
        try
        {
            var settings = new Dictionary<string, string>(ServerSettings);
            // Counting statements costs a little: only where somebody asked to see them.
            if (options.Trace)
            {
                settings["shared_preload_libraries"] = "pg_stat_statements";
                settings["pg_stat_statements.track_planning"] = "on";
            }

            cluster.server = await EmbeddedPostgres.Start(cluster.directory.FullName, settings, cancellation);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The settings that matter, as the server itself tells them.</summary>
    public async Task<IReadOnlyDictionary<string, string>> Settings()
    {
        await using var connection = new NpgsqlConnection(Maintenance);
        return (await connection.QueryAsync<(string Name, string Value)>(
            "select name, current_setting(name) as value from pg_settings where name = any(@shown)", new { shown = Shown }))
            .OrderBy(setting => Array.IndexOf(Shown, setting.Name)).ToDictionary(setting => setting.Name, setting => setting.Value);
    }

    /// <summary>Where PostgreSQL's programs lie; pgbench is one of them.</summary>
    public async Task<string> Programs()
    {
        await using var connection = new NpgsqlConnection(Maintenance);
        return await connection.QuerySingleAsync<string>("select setting from pg_config where name = 'BINDIR'");
    }

    /// <summary>A slower disk is imitated: each commit waits 5 ms for others that might share its write.</summary>
    public async Task Use(Disk disk)
    {
        await Execute(disk == Disk.Slower ? "alter system set commit_delay = 5000" : "alter system reset commit_delay");
        await Execute(disk == Disk.Slower ? "alter system set commit_siblings = 0" : "alter system reset commit_siblings");
        await Execute("select pg_reload_conf()");
        // The reload is only ordered by that, and a setting that the command line has would win over it.
        await using var connection = new NpgsqlConnection(Maintenance);
        for (var looks = 0; await connection.QuerySingleAsync<string>("show commit_delay") != (disk == Disk.Slower ? "5000" : "0"); looks++)
        {
            if (looks == 100) throw new CannotMeasureException("PostgreSQL did not take commit_delay.");
            await Task.Delay(50);
        }
    }

    /// <summary>Fills a template once; its name.</summary>
    public async Task<string> Template(string name, Func<string, Task> fill)
    {
        if (!templates.Add(name)) return name;
        await Execute($"create database {name}");
        var template = ConnectionString(name, pooling: false);
        await fill(template);
        await VacuumAnalyze(template);
        return name;
    }

    /// <summary>A fresh database; its connection string. Its owner drops it.</summary>
    public async Task<string> Create(string template)
    {
        var name = $"run_{++databases}";
        await Execute($"create database {name} template {template}");
        return ConnectionString(name);
    }

    /// <summary>A template itself, for what is too large to be cloned. Whoever changes it tidies up.</summary>
    public string Open(string template) => ConnectionString(template);

    /// <summary>The server's log, which goes on being written.</summary>
    public string ServerLog => Path.Combine(server!.DataDirectory, "server.log");

    public async Task Drop(string connectionString)
    {
        if (!keep) await Execute($"drop database if exists {new NpgsqlConnectionStringBuilder(connectionString).Database} with (force)");
    }

    /// <summary>How many transactions a database has seen.</summary>
    public async Task<long> Transactions(string connectionString)
    {
        await using var connection = new NpgsqlConnection(Maintenance);
        return await connection.QuerySingleAsync<long>(
            "select xact_commit + xact_rollback from pg_stat_database where datname = @name",
            new { name = new NpgsqlConnectionStringBuilder(connectionString).Database });
    }

    /// <summary>What a run does not wait for: statistics are fresh, and nothing is left to be written by the run before.</summary>
    public static async Task VacuumAnalyze(string connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.ExecuteAsync("vacuum analyze", commandTimeout: 0);
        await connection.ExecuteAsync("checkpoint;", commandTimeout: 0);
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        if (keep) Console.Error.WriteLine($"PostgreSQL's data was kept in {directory.FullName}.");
        else directory.Delete(recursive: true);
    }

    private string Maintenance => ConnectionString("postgres");

    /// <param name="database">Its name.</param>
    /// <param name="pooling">Not for a template: an idle connection would be in the way of its clones.</param>
    private string ConnectionString(string database, bool pooling = true) =>
        new NpgsqlConnectionStringBuilder(server!.ConnectionString) { Database = database, Pooling = pooling }.ConnectionString;

    private async Task Execute(string sql)
    {
        await using var connection = new NpgsqlConnection(Maintenance);
        await connection.ExecuteAsync(sql, commandTimeout: 0);
    }
}
