using CallOrchestration.Host;
using CallOrchestration.Tests;
using Npgsql;

[assembly: AssemblyFixture(typeof(TestPostgres))]

namespace CallOrchestration.Tests;

/// <summary>
/// One PostgreSQL for the whole run: a throw-away cluster, started by the same code as the host's own. It is migrated once, into a template;
/// each test class gets a clone.
/// </summary>
public sealed class TestPostgres : IAsyncLifetime
{
    private const string Template = "calls_template";

    // What is lost here at a power cut is no loss; and several hosts of several tests connect at once.
    private static readonly Dictionary<string, string> Settings = new()
    {
        ["fsync"] = "off",
        ["full_page_writes"] = "off",
        ["max_connections"] = "400",
    };

    private readonly TestDirectory directory = new("tests");
    private readonly SemaphoreSlim cloning = new(1);
    private EmbeddedPostgres? server;
    private int databases;

    public async ValueTask InitializeAsync()
    {
        server = await EmbeddedPostgres.Start(directory.Path, Settings);
        await Execute($"create database {Template}");
        await Migrations.Apply(ConnectionString(Template), Application.MigrationScripts, TestContext.Current.CancellationToken);
    }

    /// <summary>A database of its own, migrated; its connection string.</summary>
    public async Task<string> CreateDatabase(bool migrated = true)
    {
        await cloning.WaitAsync();
        try
        {
            var name = $"test_{++databases}";
            await Execute(migrated ? $"create database {name} template {Template} strategy file_copy" : $"create database {name}");
            return ConnectionString(name);
        }
        finally
        {
            cloning.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        cloning.Dispose();
        directory.Dispose();
    }

    private string ConnectionString(string database) =>
        new NpgsqlConnectionStringBuilder(server!.ConnectionString)
        {
            Database = database,
            Pooling = database != Template,
            // The driver reads the wall clock for it: a machine that stands still for some seconds must not fail a test.
            Timeout = 30,
        }.ConnectionString;

    private async Task Execute(string sql)
    {
        await using var connection = new NpgsqlConnection(server!.ConnectionString);
        await connection.OpenAsync();
        await connection.ExecuteAsync(sql);
    }
}
