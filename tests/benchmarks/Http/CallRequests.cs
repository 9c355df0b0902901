namespace CallOrchestration.Benchmarks.Http;

/// <summary>The requests of the cells, made beforehand.</summary>
internal static class CallRequests
{
    private const int Different = 1000;

    /// <summary>Calls to be created, due tomorrow so that nothing is dialled meanwhile.</summary>
    public static Func<int, byte[]?> Create(IReadOnlyList<Tenant> tenants)
    {
        var due = DateTime.UtcNow.AddDays(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        return InTurn(number => HttpLoad.Request(
            "POST",
            "/api/calls/outbound",
            tenants[number % tenants.Count].ApiKey,
            "application/json",
            $$"""
            {"from":"+918047110000","to":"+9199{{10_000_000 + number}}","next_action_at":"{{due}}","metadata":{"campaign":"renewal","customer":{{number}} } }
            """));
    }

    /// <summary>Single calls, of those that are there.</summary>
    public static async Task<Func<int, byte[]?>> Read(string connectionString, IReadOnlyList<Tenant> tenants)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        // Some of every age: a sample of the blocks.
        var calls = (await connection.QueryAsync<(Guid Id, Guid Organization)>(
            "select id, organization_id from calls tablesample system(@percent)",
            new { percent = await PercentFor(connection, 4 * Different) })).AsList();
        var keys = tenants.ToDictionary(tenant => tenant.Id, tenant => tenant.ApiKey);
        return InTurn(number =>
        {
            var (id, organization) = calls[number % calls.Count];
            return HttpLoad.Request("GET", $"/api/calls/{id}", keys[organization]);
        });
    }

    /// <summary>Pages of 50 with filters, as somebody asks who looks for a campaign's answered calls.</summary>
    public static Func<int, byte[]?> List(IReadOnlyList<Tenant> tenants) => InTurn(number => HttpLoad.Request(
        "GET", "/api/calls?status=COMPLETED&direction=OUTBOUND&outcome=completed&limit=50", tenants[number % tenants.Count].ApiKey));

    /// <summary>The summary of an organization.</summary>
    public static Func<int, byte[]?> Summary(IReadOnlyList<Tenant> tenants) =>
        InTurn(number => HttpLoad.Request("GET", "/api/calls/summary", tenants[number % tenants.Count].ApiKey));

    private static Func<int, byte[]?> InTurn(Func<int, byte[]> make)
    {
        byte[][] requests = [.. Enumerable.Range(0, Different).Select(make)];
        var sent = -1;
        return _ => requests[(uint)Interlocked.Increment(ref sent) % Different];
    }

    private static async Task<double> PercentFor(NpgsqlConnection connection, int rows)
    {
        var all = await connection.QuerySingleAsync<double>("select greatest(reltuples, 1) from pg_class where oid = 'calls'::regclass");
        return Math.Min(100, 100 * rows / all);
    }
}
