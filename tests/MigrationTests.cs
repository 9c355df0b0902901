using CallOrchestration.Host;
using Npgsql;

namespace CallOrchestration.Tests;

public sealed class MigrationTests(TestPostgres postgres)
{
    private static readonly IReadOnlyList<MigrationScript> Ours = Application.MigrationScripts;

    [Fact]
    public async Task A_fresh_database_gets_every_script_once_and_a_second_start_does_nothing()
    {
        var database = await postgres.CreateDatabase(migrated: false);

        (await Apply(database)).ShouldBe(Ours.Count);
        var journal = await Journal(database);
        (await Apply(database)).ShouldBe(0);

        journal.ShouldBe(Ours.Select(script => $"{script.Module}/{script.Name} {script.Checksum}"));
        (await Journal(database)).ShouldBe(journal);
        (await Tables(database)).ShouldBe(["calls", "organizations"]);
    }

    [Fact]
    public async Task Of_hosts_that_start_at_once_one_migrates_and_the_others_wait()
    {
        var database = await postgres.CreateDatabase(migrated: false);

        var ran = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Apply(database)));

        ran.ShouldBe([Ours.Count, 0, 0, 0], ignoreOrder: true);
        (await Journal(database)).Count.ShouldBe(Ours.Count);
    }

    [Fact]
    public async Task A_script_that_is_new_runs_alone()
    {
        var database = await postgres.CreateDatabase();
        (await Apply(database, [.. Ours, Script(1, "create table one ()")])).ShouldBe(1);
        (await Apply(database, [.. Ours, Script(1, "create table one ()"), Script(2, "create table two ()")])).ShouldBe(1);
        (await Tables(database)).ShouldBe(["calls", "one", "organizations", "two"]);
    }

    [Fact]
    public async Task A_script_that_was_changed_after_it_ran_stops_the_host_and_is_named()
    {
        var database = await postgres.CreateDatabase();
        var changed = Ours[^1] with { Sql = Ours[^1].Sql + "-- changed" };

        (await Refused(database, [.. Ours.SkipLast(1), changed, Script(1, "create table one ()")])).ShouldContain($"{changed.Module}/{changed.Name} was changed");

        (await Tables(database)).ShouldBe(["calls", "organizations"]);
    }

    [Fact]
    public async Task A_script_that_the_database_has_and_this_host_has_not_is_named()
    {
        var database = await postgres.CreateDatabase();
        var lost = Ours[^1];
        (await Refused(database, [.. Ours.SkipLast(1)])).ShouldContain($"{lost.Module}/{lost.Name}, which this host does not have");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1, 3)]
    [InlineData(1, 1)]
    [InlineData(0, 1)]
    public async Task A_gap_in_the_numbers_is_refused_before_anything_runs(params int[] numbers)
    {
        var database = await postgres.CreateDatabase(migrated: false);
        (await Refused(database, [.. Ours, .. numbers.Select(number => Script(number, "create table one ()"))])).ShouldContain("Probe are not numbered");
        (await Tables(database)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_script_that_fails_leaves_nothing_behind_and_what_ran_before_it_stays()
    {
        var database = await postgres.CreateDatabase(migrated: false);
        MigrationScript[] broken = [.. Ours, Script(1, "create table one ()"), Script(2, "create table two (); select 1 / 0;"), Script(3, "create table three ()")];

        (await Refused(database, broken)).ShouldBe("The migration Probe/002_probe.sql failed: division by zero (22012).");

        (await Tables(database)).ShouldBe(["calls", "one", "organizations"]);
        (await Journal(database)).Count.ShouldBe(Ours.Count + 1);
        // Mended, it goes on where it stopped.
        (await Apply(database, [.. broken[..^2], Script(2, "create table two ()"), broken[^1]])).ShouldBe(2);
        (await Tables(database)).ShouldBe(["calls", "one", "organizations", "three", "two"]);
    }

    [Fact]
    public void A_checkout_with_other_line_ends_has_the_same_checksum_and_other_text_has_not()
    {
        var script = Ours[0];
        (script with { Sql = script.Sql.ReplaceLineEndings("\r\n") }).Checksum.ShouldBe(script.Checksum);
        (script with { Sql = script.Sql + " " }).Checksum.ShouldNotBe(script.Checksum);
    }

    [Fact]
    public void Every_script_of_the_modules_is_embedded_in_its_assembly()
    {
        var files = Directory.GetFiles(Path.Combine(Sources.Root, "modules"), "*.sql", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"));
        Ours.Select(script => $"{script.Module}/Migrations/{script.Name}")
            .ShouldBe(files.Select(file => Path.GetRelativePath(Path.Combine(Sources.Root, "modules"), file)), ignoreOrder: true);
    }

    private static MigrationScript Script(int number, string sql) => new("Probe", number, $"{number:000}_probe.sql", sql);

    private static Task<int> Apply(string database, IReadOnlyList<MigrationScript>? scripts = null) =>
        Migrations.Apply(database, scripts ?? Ours, TestContext.Current.CancellationToken);

    private static async Task<string> Refused(string database, IReadOnlyList<MigrationScript> scripts) =>
        (await Should.ThrowAsync<MigrationException>(() => Apply(database, scripts))).Message;

    private static async Task<IReadOnlyList<string>> Journal(string database)
    {
        await using var connection = new NpgsqlConnection(database);
        return (await connection.QueryAsync<string>(
            "select module || '/' || name || ' ' || checksum from call_orchestration_migrations.journal order by applied_at, module, number")).AsList();
    }

    private static async Task<IReadOnlyList<string>> Tables(string database)
    {
        await using var connection = new NpgsqlConnection(database);
        return (await connection.QueryAsync<string>("select tablename::text from pg_tables where schemaname = 'public' order by 1")).AsList();
    }
}
