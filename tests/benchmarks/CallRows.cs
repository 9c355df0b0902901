using CallOrchestration.Host;

namespace CallOrchestration.Benchmarks;

/// <summary>Rows to be made: jobs with their numbers and due times.</summary>
/// <param name="First">The number of the first; the others count on.</param>
/// <param name="Count">How many.</param>
/// <param name="Due">When the first is due, UTC; a whole millisecond, since some peers know no finer time.</param>
/// <param name="Step">From one to the next; zero: all at the same instant.</param>
internal sealed record Rows(long First, int Count, DateTime Due, TimeSpan Step);

/// <summary>The organization of a template, with the secrets that its clients need.</summary>
internal sealed record Tenant(Guid Id, string ApiKey, string WebhookToken);

/// <summary>The product's rows, made by one statement as its own slices make them.</summary>
internal static class CallRows
{
    public const int Tenants = 50;

    // The number of a call is in the number that it dials: the dialler sees nothing else of it.
    private const long FirstNumber = 6_000_000_000;

    public static long NumberOf(string to) => long.Parse(to.AsSpan(3), CultureInfo.InvariantCulture) - FirstNumber;

    /// <summary>A migrated database with organizations and no call.</summary>
    public static async Task<IReadOnlyList<Tenant>> Migrate(string connectionString, int tenants = Tenants)
    {
        await Migrations.Apply(connectionString, Application.MigrationScripts, CancellationToken.None);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        var added = new List<Tenant>();
        for (var number = 0; number < tenants; number++)
        {
            var organization = await Organizations.Add(connection, $"Tenant {number}", "+918047110000");
            added.Add(new(organization.Id, organization.ApiKey, organization.WebhookToken));
        }

        return added;
    }

    /// <summary>Calls to be dialled, with the history that the API would have written.</summary>
    /// <param name="connectionString">Of the database.</param>
    /// <param name="rows">Which.</param>
    /// <param name="tenants">Whose, in turn; all organizations if not given.</param>
    /// <param name="unguarded">Without triggers, for very many rows.</param>
    public static async Task Insert(string connectionString, Rows rows, IReadOnlyList<Guid>? tenants = null, bool unguarded = false)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        if (unguarded) await connection.ExecuteAsync("set session_replication_role = replica");
        tenants ??= [.. await connection.QueryAsync<Guid>("select id from organizations order by id")];
        await connection.ExecuteAsync(
            InsertSql,
            new { first = rows.First, count = rows.Count, due = rows.Due, step = rows.Step, tenants = tenants.ToArray(), firstNumber = FirstNumber },
            commandTimeout: 0);
    }

    // The ids are of version 7, as the product's own: their order is that of the inserts.
    private const string InsertSql =
        """
        insert into calls (id, organization_id, direction, status, from_number, to_number, next_action_at, history)
        select
            (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || left(hash, 3) || '8' || substr(hash, 4, 15))::uuid,
            (@tenants::uuid[])[1 + n % cardinality(@tenants::uuid[])],
            'OUTBOUND', 'PENDING', '+918047110000', '+91' || (@firstNumber + n)::text,
            @due + (n - @first) * @step,
            jsonb_build_array(call_history_entry('created', 'api', 1, 'PENDING'))
        from generate_series(@first::bigint, @first::bigint + @count - 1) n,
            md5(n::text) hash
        """;
}
