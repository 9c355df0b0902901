using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Postgres;
using Dapper;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>An organization of the storm, with what its client needs.</summary>
internal sealed record StormOrganization(Guid Id, string Phone, string ApiKey, string WebhookToken);

/// <summary>
/// What storms are played on: a directory, a PostgreSQL of their own, and in it a template with the host's tables, some organizations,
/// and a note of every version of every call. Each storm gets a database made from it.
/// </summary>
internal sealed class StormGround : IAsyncDisposable
{
    private const string Template = "storm_template";
    private const string OfOneStorm = "storm";

    // After a crash each file is synced before anything else; in one call the database is back soon enough to be in the storm at all.
    private static readonly IReadOnlyDictionary<string, string> Settings = OperatingSystem.IsLinux()
        ? new Dictionary<string, string> { ["recovery_init_sync_method"] = "syncfs" }
        : new Dictionary<string, string>();

    private readonly TemporaryDirectory directory = new();
    private readonly StormOptions options;
    private EmbeddedPostgres postgres = null!;
    private int logs;

    private StormGround(StormOptions options) => this.options = options;

    public string Directory => options.Keep?.FullName ?? directory.Path;

    public IReadOnlyList<StormOrganization> Organizations { get; private set; } = [];

    public static async Task<StormGround> Prepare(StormOptions options, CancellationToken cancellation)
    {
        var ground = new StormGround(options);
        try
        {
            ground.postgres = await StartPostgres(ground.directory.In("database"), cancellation);
            await ground.MakeTemplate(cancellation);
            return ground;
        }
        catch
        {
            await ground.DisposeAsync();
            throw;
        }
    }

    /// <summary>A database for one storm, in place of the one before; its connection string, without a pool.</summary>
    /// <param name="commitDelay">How much longer each commit takes.</param>
    public async Task<string> CreateDatabase(TimeSpan commitDelay)
    {
        await Execute($"drop database if exists {OfOneStorm} with (force)");
        await Execute($"create database {OfOneStorm} template {Template} strategy file_copy");
        await Execute($"alter database {OfOneStorm} set commit_siblings = 0");
        await Execute($"alter database {OfOneStorm} set commit_delay = {(int)commitDelay.TotalMicroseconds}");
        return ConnectionString(OfOneStorm);
    }

    /// <summary>The server is gone at once, as after a crash; its log is kept in the directory, since each start begins a new one.</summary>
    public async Task Crash(string directory)
    {
        await postgres.StopServer("immediate");
        KeepLog(directory);
    }

    public Task Restart() => postgres.StartServer();

    /// <summary>Copies what PostgreSQL has logged since its last start.</summary>
    public void KeepLog(string directory) =>
        File.Copy(Path.Combine(postgres.DataDirectory, "server.log"), Path.Combine(directory, $"postgres-{Interlocked.Increment(ref logs)}.log"), overwrite: true);

    public async ValueTask DisposeAsync()
    {
        if (postgres is not null) await postgres.DisposeAsync();
        directory.Dispose();
    }

    private static async Task<EmbeddedPostgres> StartPostgres(string directory, CancellationToken cancellation)
    {
        try
        {
            return await EmbeddedPostgres.Start(directory, Settings, cancellation);
        }
        catch (EmbeddedPostgresException wrong)
        {
            throw new CannotPlay(wrong.Message);
        }
    }

    private async Task MakeTemplate(CancellationToken cancellation)
    {
        await Execute($"create database {Template}");
        var start = new HostStart(directory.Path, HostProcess.FreeUrl(), new Dictionary<string, string>
        {
            ["ConnectionStrings__CallOrchestration"] = ConnectionString(Template),
        })
        { Assembly = options.Host?.FullName };
        var organizations = new List<StormOrganization>();
        // The first command brings the database to what the host needs.
        for (var number = 0; number < StormTimes.Organizations; number++)
        {
            var phone = $"+9180471100{number:00}";
            var told = (await HostProcess.Command(start, ["organizations", "add", $"Storm {number + 1}", "--phone", phone], cancellation))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => line.Split(": ")).ToDictionary(pair => pair[0], pair => pair[^1]);
            organizations.Add(new(Guid.Parse(told["id"]), phone, told["api_key"], told["webhook_token"]));
        }

        Organizations = organizations;
        await using var connection = new NpgsqlConnection(ConnectionString(Template));
        await connection.OpenAsync(cancellation);
        await connection.ExecuteAsync(WatchSql);
    }

    // Without a pool: a template has nobody on it when it is copied, and no connection has died in a crash.
    private string ConnectionString(string database) =>
        new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Database = database, Pooling = false }.ConnectionString;

    private async Task Execute(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString(new NpgsqlConnectionStringBuilder(postgres.ConnectionString).Database!));
        await connection.OpenAsync();
        await connection.ExecuteAsync(sql);
    }

    // Every version of every call that was ever committed, in the order of its life. What the host's own table says about the past
    // (history, revision) is held against this.
    private const string WatchSql =
        """
        create schema storm;
        create table storm.versions (
            number bigint generated always as identity primary key,
            at timestamptz not null default clock_timestamp(),
            id uuid not null,
            gone boolean not null,
            organization_id uuid not null,
            direction text not null,
            status text not null,
            outcome text,
            retries integer not null,
            next_action_at timestamptz,
            provider_call_id text,
            started_at timestamptz,
            answered_at timestamptz,
            claims integer not null,
            revision integer not null
        );
        create function storm.note() returns trigger language plpgsql as $$
        declare
            c calls := case when tg_op = 'DELETE' then old else new end;
        begin
            insert into storm.versions (
                id, gone, organization_id, direction, status, outcome, retries, next_action_at, provider_call_id, started_at, answered_at, claims, revision)
            values (
                c.id, tg_op = 'DELETE', c.organization_id, c.direction, c.status, c.outcome, c.retries, c.next_action_at, c.provider_call_id, c.started_at,
                c.answered_at, c.claims, c.revision);
            return null;
        end
        $$;
        create trigger storm_note after insert or update or delete on calls for each row execute function storm.note();
        """;
}
