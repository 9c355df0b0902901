using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>A numbered SQL script of a module, as embedded in its assembly under <c>Migrations/</c>.</summary>
/// <param name="Module">The module's name.</param>
/// <param name="Number">1 and up, without gaps.</param>
/// <param name="Name">The file's name.</param>
/// <param name="Sql">The script.</param>
public sealed partial record MigrationScript(string Module, int Number, string Name, string Sql)
{
    /// <summary>SHA-256 of the text, with the line ends of every platform counted as one.</summary>
    public string Checksum => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    /// <summary>The scripts of a module, in order.</summary>
    public static IReadOnlyList<MigrationScript> Of(string module, Assembly assembly) =>
        [.. assembly.GetManifestResourceNames()
            .Select(resource => (Resource: resource, Match: ScriptName().Match(resource)))
            .Where(found => found.Match.Success)
            .OrderBy(found => found.Resource, StringComparer.Ordinal)
            .Select(found =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(found.Resource)!);
                var number = int.Parse(found.Match.Groups["number"].Value, System.Globalization.CultureInfo.InvariantCulture);
                return new MigrationScript(module, number, found.Match.Groups["name"].Value, reader.ReadToEnd());
            })];

    [GeneratedRegex(@"\AMigrations/(?<name>(?<number>[0-9]{3})_[a-z0-9_]+\.sql)\z")]
    private static partial Regex ScriptName();
}

/// <summary>The scripts that the database has and those that this host has do not agree; the host must not start.</summary>
public sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Brings the database to what the modules of this host need.</summary>
public static class Migrations
{
    // Any constant will do, as long as every host uses the same.
    private const long AdvisoryLock = 0x63616c6c73;

    /// <summary>
    /// Runs every script that the database does not have yet, each in its own transaction. Several hosts may start at once: an advisory
    /// lock lets one of them work while the others wait.
    /// </summary>
    /// <returns>How many scripts ran.</returns>
    /// <exception cref="MigrationException">A script was changed after it ran, is missing here, or fails.</exception>
    public static async Task<int> Apply(string connectionString, IReadOnlyList<MigrationScript> scripts, CancellationToken cancellation)
    {
        // A connection of its own, without the short limits of the others: an index on a large table takes its time.
        var settings = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Pooling = false,
            ApplicationName = "call-orchestration migrations",
            CommandTimeout = 0,
            Options = "-c lock_timeout=60s -c TimeZone=UTC",
        };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellation);
        if (connection.PostgreSqlVersion.Major < 14)
            throw new MigrationException($"PostgreSQL {connection.PostgreSqlVersion} is too old: 14 or newer is needed.");

        await connection.ExecuteAsync(LockSql, new { key = AdvisoryLock });
        await connection.ExecuteAsync(JournalSql);
        var journal = (await connection.QueryAsync<(string Module, int Number, string Name, string Checksum)>(AppliedSql)).AsList();
        var missing = Missing(scripts, journal);
        foreach (var script in missing) await Run(connection, script, cancellation);
        // The planner knows nothing of a new table or index before this.
        if (missing.Count > 0) await connection.ExecuteAsync(AnalyzeSql);
        return missing.Count;
    }

    internal static IReadOnlyList<MigrationScript> Missing(
        IReadOnlyList<MigrationScript> scripts, IReadOnlyList<(string Module, int Number, string Name, string Checksum)> journal)
    {
        foreach (var module in scripts.GroupBy(script => script.Module))
        {
            if (!module.Select(script => script.Number).SequenceEqual(Enumerable.Range(1, module.Count())))
                throw new MigrationException($"The migrations of {module.Key} are not numbered 001, 002, … without gaps.");
        }

        foreach (var applied in journal)
        {
            var script = scripts.FirstOrDefault(script => script.Module == applied.Module && script.Number == applied.Number)
                ?? throw new MigrationException(
                    $"The database has the migration {applied.Module}/{applied.Name}, which this host does not have: an older host cannot run on it.");
            if (script.Checksum != applied.Checksum)
            {
                throw new MigrationException(
                    $"The migration {script.Module}/{script.Name} was changed after it had run as {applied.Name}: restore it, and put the change into a new script.");
            }
        }

        return [.. scripts.ExceptBy(journal.Select(applied => (applied.Module, applied.Number)), script => (script.Module, script.Number))];
    }

    private static async Task Run(NpgsqlConnection connection, MigrationScript script, CancellationToken cancellation)
    {
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await connection.ExecuteAsync(script.Sql);
            await connection.ExecuteAsync(RecordSql, new { script.Module, script.Number, script.Name, script.Checksum });
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch (PostgresException error)
        {
            throw new MigrationException($"The migration {script.Module}/{script.Name} failed: {error.MessageText} ({error.SqlState}).", error);
        }
    }

    private const string LockSql = "select pg_advisory_lock(@key)";

    private const string JournalSql =
        """
        create schema if not exists call_orchestration_migrations;
        create table if not exists call_orchestration_migrations.journal (
            module text not null,
            number integer not null,
            name text not null,
            checksum text not null,
            applied_at timestamptz not null default now(),
            primary key (module, number)
        )
        """;

    private const string AppliedSql =
        """
        select module, number, name, checksum
        from call_orchestration_migrations.journal
        order by applied_at, module, number
        """;

    private const string RecordSql =
        """
        insert into call_orchestration_migrations.journal (module, number, name, checksum)
        values (@module, @number, @name, @checksum)
        """;

    private const string AnalyzeSql = "analyze organizations, calls";
}
