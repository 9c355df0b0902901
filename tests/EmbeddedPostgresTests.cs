using System.Diagnostics;
using CallOrchestration.Host;
using Npgsql;

namespace CallOrchestration.Tests;

public sealed class EmbeddedPostgresTests(EmbeddedPostgresTests.OneCluster one) : IClassFixture<EmbeddedPostgresTests.OneCluster>, IDisposable
{
    private static readonly Dictionary<string, string> Hasty = new() { ["fsync"] = "off" };

    // Not made here: Start is to make it, with a mode that lets the server's user in.
    private readonly string _directory = NewDirectory();

    [Fact]
    public async Task The_first_use_makes_a_cluster_and_its_database()
    {
        await using var connection = await Connect(one.Postgres);
        (await connection.QuerySingleAsync<(string, string, string, string, string)>(
            """
            select current_database()::text, current_user::text, current_setting('server_encoding'), datcollate::text, current_setting('data_checksums')
            from pg_database where datname = current_database()
            """)).ShouldBe(("call_orchestration", "call_orchestration", "UTF8", "C", "on"));
    }

    [Fact]
    public async Task Nobody_gets_in_without_a_password_and_only_from_this_machine()
    {
        await using var connection = await Connect(one.Postgres);
        (await connection.QueryAsync<string>("select distinct auth_method from pg_hba_file_rules")).ShouldBe(["scram-sha-256"]);
        (await connection.QuerySingleAsync<string>("show listen_addresses")).ShouldBe("127.0.0.1");
        (await connection.QuerySingleAsync<string>("show unix_socket_directories")).ShouldBe("");
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("call_orchestration")]
    public async Task A_wrong_password_is_refused(string password)
    {
        var wrong = new NpgsqlConnectionStringBuilder(one.Postgres.ConnectionString) { Password = password, Pooling = false };
        await using var connection = new NpgsqlConnection(wrong.ConnectionString);
        var refusal = await Should.ThrowAsync<PostgresException>(() => connection.OpenAsync(Cancellation));
        refusal.SqlState.ShouldBe(PostgresErrorCodes.InvalidPassword);
    }

    [Fact]
    public async Task The_password_is_readable_for_its_owner_alone()
    {
        if (OperatingSystem.IsWindows())
            return;
        const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.GetUnixFileMode(Path.Combine(one.Directory, "password")).ShouldBe(OwnerAlone);
        File.GetUnixFileMode(Path.Combine(one.Directory, "connection-string")).ShouldBe(OwnerAlone);
        File.GetUnixFileMode(one.Postgres.DataDirectory).ShouldBe(OwnerAlone | UnixFileMode.UserExecute);
        (await File.ReadAllTextAsync(Path.Combine(one.Directory, "password"), Cancellation)).Length.ShouldBe(64);
        (await File.ReadAllTextAsync(Path.Combine(one.Directory, "connection-string"), Cancellation)).ShouldBe(one.Postgres.ConnectionString + "\n");
    }

    [Fact]
    public async Task The_servers_log_holds_no_value_of_a_failed_statement()
    {
        await using var connection = await Connect(one.Postgres);
        await connection.ExecuteAsync("create table numbers (number text primary key check (number like '+%'))");
        foreach (var statement in new[]
        {
            "insert into numbers values ('+919900000001'), ('+919900000001')", "insert into numbers values ('919900000001')", "select '919900000001x'::bigint",
            "do $$ begin raise warning '919900000001'; raise exception '919900000001'; end $$",
        })
            await Should.ThrowAsync<PostgresException>(() => connection.ExecuteAsync(statement));
        await Should.ThrowAsync<PostgresException>(() => connection.ExecuteAsync("insert into numbers values (@number)", new { number = "919900000001" }));
        (await File.ReadAllTextAsync(Path.Combine(one.Postgres.DataDirectory, "server.log"), Cancellation)).ShouldNotContain("9900000001");
    }

    [Fact]
    public async Task A_second_use_finds_the_data_of_the_first()
    {
        await using (var first = await Start())
            await Write(first, 42);
        await using var second = await Start();
        (await Read(second)).ShouldBe(42);
    }

    [Fact]
    public async Task Two_that_start_at_once_share_a_server_which_ends_with_the_last_of_them()
    {
        var both = await Task.WhenAll(Start(), Start());
        both[1].ConnectionString.ShouldBe(both[0].ConnectionString);
        await Write(both[0], 1);
        await both[0].DisposeAsync();
        (await Read(both[1])).ShouldBe(1);
        await both[1].DisposeAsync();
        await Should.ThrowAsync<NpgsqlException>(() => Read(both[1]));
    }

    [Fact]
    public async Task A_leftover_of_a_killed_host_is_taken_over()
    {
        var killed = await Start();
        await Write(killed, 7);
        killed.Abandon();
        await using (var next = await Start())
        {
            next.ConnectionString.ShouldBe(killed.ConnectionString);
            (await Read(next)).ShouldBe(7);
        }
        await Should.ThrowAsync<NpgsqlException>(() => Read(killed));
    }

    [Fact]
    public async Task A_killed_server_is_no_obstacle_even_when_its_process_id_belongs_to_another_program_now()
    {
        var postgres = await Start();
        await Write(postgres, 3);
        postgres.Abandon();
        var idFile = Path.Combine(postgres.DataDirectory, "postmaster.pid");
        var lines = await File.ReadAllLinesAsync(idFile, Cancellation);
        using (var server = Process.GetProcessById(int.Parse(lines[0], null)))
            server.Kill();
        using var other = Process.Start("sleep", "60");
        try
        {
            await File.WriteAllLinesAsync(idFile, [$"{other.Id}", .. lines.Skip(1)], Cancellation);
            await using var next = await Start();
            (await Read(next)).ShouldBe(3);
            other.HasExited.ShouldBeFalse();
        }
        finally
        {
            other.Kill();
        }
    }

    [Fact]
    public async Task A_server_that_was_stopped_or_crashed_comes_back_on_the_same_port()
    {
        await using var postgres = await Start();
        await Write(postgres, 5);
        foreach (var mode in new[] { "fast", "immediate" })
        {
            await postgres.StopServer(mode);
            await Should.ThrowAsync<NpgsqlException>(() => Read(postgres));
            await postgres.StartServer();
            (await Read(postgres)).ShouldBe(5);
        }
    }

    [Fact]
    public async Task A_half_made_cluster_is_thrown_away()
    {
        var halfMade = Path.Combine(_directory, "postgres.new-0123456789ab");
        Directory.CreateDirectory(Path.Combine(halfMade, "data", "base"));
        await File.WriteAllTextAsync(Path.Combine(halfMade, "data", "PG_VERSION"), "15\n", Cancellation);
        await using var postgres = await Start();
        await Write(postgres, 1);
        Directory.GetDirectories(_directory).ShouldBe([Path.Combine(_directory, "postgres")]);
    }

    [Fact]
    public async Task A_cluster_of_another_version_is_refused_with_both_versions_named()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "postgres"));
        await File.WriteAllTextAsync(Path.Combine(_directory, "postgres", "PG_VERSION"), "99\n", Cancellation);
        var installed = (await File.ReadAllTextAsync(Path.Combine(one.Postgres.DataDirectory, "PG_VERSION"), Cancellation)).Trim();
        var refusal = await Should.ThrowAsync<EmbeddedPostgresException>(Start);
        refusal.Message.ShouldContain("made by PostgreSQL 99");
        refusal.Message.ShouldContain(installed);
    }

    [Fact]
    public async Task A_lost_password_is_named_and_nothing_is_overwritten()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "postgres"));
        File.Copy(Path.Combine(one.Postgres.DataDirectory, "PG_VERSION"), Path.Combine(_directory, "postgres", "PG_VERSION"));
        (await Should.ThrowAsync<EmbeddedPostgresException>(Start)).Message.ShouldContain("password is missing");
        Directory.GetFileSystemEntries(Path.Combine(_directory, "postgres")).Length.ShouldBe(1);
    }

    public void Dispose() => Delete(_directory);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Task<EmbeddedPostgres> Start() => EmbeddedPostgres.Start(_directory, Hasty, Cancellation);

    private static async Task Write(EmbeddedPostgres postgres, int number)
    {
        await using var connection = await Connect(postgres);
        await connection.ExecuteAsync("create table kept as select @number as number", new { number });
    }

    private static async Task<int> Read(EmbeddedPostgres postgres)
    {
        await using var connection = await Connect(postgres);
        return await connection.QuerySingleAsync<int>("select number from kept");
    }

    // Unpooled: what matters here is whether the server lets in a newcomer.
    private static async Task<NpgsqlConnection> Connect(EmbeddedPostgres postgres)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancellation);
        return connection;
    }

    private static string NewDirectory() => Path.Combine(Path.GetTempPath(), $"embedded-{Guid.NewGuid():N}");

    private static void Delete(string directory)
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    /// <summary>A cluster for the facts that only look.</summary>
    public sealed class OneCluster : IAsyncLifetime
    {
        internal string Directory { get; } = NewDirectory();
        internal EmbeddedPostgres Postgres { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Postgres = await EmbeddedPostgres.Start(Directory, Hasty, CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            await Postgres.DisposeAsync();
            Delete(Directory);
        }
    }
}
