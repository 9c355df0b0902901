using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

internal static class Events
{
    private const int Calls = 12_000;
    private const int WarmUpCalls = 12_000;
    private const string Applied = "\"applied\":true";

    private sealed record Dialled(Guid Id, Guid Organization, byte[] Secret, string Sid);

    public static async Task Run(Bench bench, CellReport report)
    {
        await NodePeers.Install(bench);
        foreach (var contender in HttpContender.All) report.Configured(contender.Name, contender.Configuration);
        report.Note("Each call is answered and then completed, by the same connection; half of the requests with a token, half with a signed URL.");

        var calls = bench.Options.Scaled(Calls, 1000);
        var (template, tenants) = await bench.TenantTemplate("calls_dialled", async (connectionString, _) =>
        {
            await CallRows.Insert(connectionString, new(0, calls + WarmUpCalls, DateTime.UtcNow, TimeSpan.Zero));
            await using var connection = new NpgsqlConnection(connectionString);
            await connection.ExecuteAsync(DialSql, commandTimeout: 0);
        });
        await bench.OnEachDisk(async disk =>
        {
            var variant = $"a full life for each call{disk}";
            await HttpCell.Measure(bench, report, variant, template, database => Loads(database, tenants, calls), Check);
            HttpCell.Judge(report, variant, 2, latencyToo: false);
        });
    }

    private static async Task<(Load WarmUp, Load Counts)> Loads(string database, IReadOnlyList<Tenant> tenants, int calls)
    {
        await using var connection = new NpgsqlConnection(database);
        var dialled = (await connection.QueryAsync<Dialled>(DialledSql)).AsList();
        var tokens = tenants.ToDictionary(tenant => tenant.Id, tenant => tenant.WebhookToken);
        byte[][] requests = [.. dialled.Index().SelectMany(call => Life(call.Item, call.Index % 2 == 0 ? tokens[call.Item.Organization] : null))];
        var mine = requests.Length - 2 * calls;
        return (new(InPairs(requests[..mine]), 200, Applied), new(InPairs(requests[mine..]), 200, Applied));
    }

    // A connection sends both events of a call before it takes the next one: the second must not overtake the first.
    private static Func<int, byte[]?> InPairs(byte[][] requests)
    {
        var pairs = 0;
        var second = new byte[]?[HttpLoad.Connections];
        return connection =>
        {
            if (second[connection] is { } waiting)
            {
                second[connection] = null;
                return waiting;
            }

            var next = 2 * (Interlocked.Increment(ref pairs) - 1);
            if (next >= requests.Length) return null;
            second[connection] = requests[next + 1];
            return requests[next];
        };
    }

    private static IEnumerable<byte[]> Life(Dialled call, string? token)
    {
        var path = token is not null
            ? $"/webhooks/provider-event?token={token}"
            : $"/webhooks/provider-event?call={call.Id}&attempt=1&signature={CallbackSignature.Of(call.Secret, call.Organization, call.Id, 1)}";
        var both = $"CallSid={call.Sid}&DateCreated=2026-11-25+10%3A00%3A00&From=09900000001&To=08047110000&Direction=outbound-api"
            + "&StartTime=2026-11-25+10%3A00%3A01";
        yield return Post(path, $"{both}&EventType=answered&Status=in-progress&DateUpdated=2026-11-25+10%3A00%3A12");
        yield return Post(path, $"{both}&EventType=terminal&Status=completed&DateUpdated=2026-11-25+10%3A01%3A30&EndTime=2026-11-25+10%3A01%3A30"
            + $"&ConversationDuration=78&RecordingUrl=https%3A%2F%2Frecordings.example%2F{call.Sid}.mp3&CustomField={call.Id}");
    }

    private static byte[] Post(string path, string form) => HttpLoad.Request("POST", path, contentType: "application/x-www-form-urlencoded", body: form);

    private static async Task<string?> Check(NpgsqlConnection connection, int answered)
    {
        var (ended, others) = await connection.QuerySingleAsync<(long Ended, long Others)>(EndedSql);
        return 2 * ended == answered && others == 0 ? null : $"{answered} events were applied, {ended} calls ended as they should and {others} did not";
    }

    // As a claim and the record of its dial leave a call.
    private const string DialSql =
        """
        update calls
        set status = 'IN_PROGRESS',
            started_at = now(),
            next_action_at = now() + interval '1 day',
            provider_call_id = md5(id::text),
            history = history || call_history_entry('claimed', 'scheduler', 1, 'IN_PROGRESS')
                || call_history_entry('dial-accepted', 'scheduler', 1, 'IN_PROGRESS', jsonb_build_object('claim', 1, 'provider_call_id', md5(id::text)))
        """;

    private const string DialledSql =
        """
        select c.id, c.organization_id as organization, o.callback_secret as secret, c.provider_call_id as sid
        from calls c
        join organizations o on o.id = c.organization_id
        order by md5(c.id::text)
        """;

    private const string EndedSql =
        """
        select count(*) filter (where ended) as ended, count(*) filter (where not ended) as others
        from calls,
            lateral (select status = 'COMPLETED' and outcome = 'completed' and duration_seconds = 78 and jsonb_array_length(history) = 5 as ended) e
        """;
}
