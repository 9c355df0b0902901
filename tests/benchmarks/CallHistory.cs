namespace CallOrchestration.Benchmarks;

/// <summary>
/// Calls as they lie about after months: nine of ten over, with the history of a whole life, and one of ten waiting for its time in the future.
/// </summary>
internal static class CallHistory
{
    // Both cores, and no statement of an hour.
    private const int AtOnce = 2;
    private const int RowsInAStatement = 250_000;

    /// <summary>Fills the table, past its triggers and with its indexes made afterwards: ten million rows are to be had in minutes.</summary>
    public static async Task Insert(string connectionString, int rows, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellation);
        var indexes = (await connection.QueryAsync<(string Name, string Definition)>(IndexesSql)).AsList();
        foreach (var (name, _) in indexes) await connection.ExecuteAsync($"drop index {name}");

        var parts = Enumerable.Range(0, (rows + RowsInAStatement - 1) / RowsInAStatement);
        await Parallel.ForEachAsync(parts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation }, async (part, token) =>
        {
            await using var own = new NpgsqlConnection(connectionString);
            await own.OpenAsync(token);
            // Not the triggers: they take four fifths of the time, and what they would refuse is not here.
            await own.ExecuteAsync("set session_replication_role = replica");
            await own.ExecuteAsync(new CommandDefinition(
                InsertSql,
                new { first = part * RowsInAStatement, last = Math.Min((part + 1) * RowsInAStatement, rows) - 1, rows },
                commandTimeout: 0,
                cancellationToken: token));
        });

        await connection.ExecuteAsync("set maintenance_work_mem = '1GB'");
        foreach (var (_, definition) in indexes)
            await connection.ExecuteAsync(new CommandDefinition(definition, commandTimeout: 0, cancellationToken: cancellation));
    }

    // Those of a constraint stay: here the primary key, which is filled in its own order.
    private const string IndexesSql =
        """
        select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
        from pg_index i
        where i.indrelid = 'calls'::regclass
            and not exists (select 1 from pg_constraint c where c.conindid = i.indexrelid)
        """;

    // Spread over the last 90 days in the order of the ids. Of ten outbound calls that are over eight were completed; one of ten calls came in.
    private const string InsertSql =
        """
        insert into calls (
            id, organization_id, direction, status, outcome, from_number, to_number, next_action_at, provider_call_id, started_at, answered_at, ended_at,
            duration_seconds, metadata, claims, revision, created_at, updated_at, history)
        select
            (lpad(to_hex((extract(epoch from began) * 1000)::bigint), 12, '0') || '7' || left(hash, 3) || '8' || substr(hash, 4, 15))::uuid,
            tenants.ids[1 + n % cardinality(tenants.ids)],
            case when inbound then 'INBOUND' else 'OUTBOUND' end,
            case when pending then 'PENDING' else 'COMPLETED' end,
            case when not pending then outcome end,
            case when inbound then customer else '+918047110000' end,
            case when inbound then '+918047110000' else customer end,
            case when pending then now() + interval '1 day' + n * interval '10 milliseconds' end,
            case when not pending then sid end,
            case when not pending then began + interval '1 second' end,
            case when answered then began + interval '12 seconds' end,
            case when not pending then began + interval '90 seconds' end,
            case when answered then 78 end,
            json_build_object('campaign', 'renewal', 'customer', n),
            case when pending then 0 else 1 end,
            case when pending then 1 else 5 end,
            began,
            case when pending then began else began + interval '90 seconds' end,
            case when pending then jsonb_build_array(created) else jsonb_build_array(
                created,
                jsonb_build_object('at', clock.at, 'event', 'claimed', 'source', 'scheduler', 'attempt', 1, 'status', 'IN_PROGRESS'),
                jsonb_build_object('at', clock.at, 'event', 'dial-accepted', 'source', 'scheduler', 'attempt', 1, 'status', 'IN_PROGRESS',
                    'details', jsonb_build_object('claim', 1, 'provider_call_id', sid)),
                jsonb_build_object('at', clock.at, 'event', 'answered', 'source', 'provider', 'attempt', 1, 'status', 'IN_PROGRESS', 'applied', true,
                    'details', jsonb_build_object('CallSid', sid, 'EventType', 'answered', 'Status', 'in-progress')),
                jsonb_build_object('at', clock.at, 'event', outcome, 'source', 'provider', 'attempt', 1, 'status', 'COMPLETED', 'applied', true,
                    'details', jsonb_build_object('CallSid', sid, 'EventType', 'terminal', 'Status', outcome, 'ConversationDuration', '78'))) end
        from (select array_agg(id order by id) as ids from organizations) tenants,
            generate_series(@first::bigint, @last::bigint) n,
            lateral (select
                md5(n::text) as hash,
                now() - interval '90 days' + n * (interval '90 days' / @rows) as began,
                -- Not in step with the organizations, which also go round.
                (n / 50) % 10 = 0 as pending,
                (n / 50) % 10 = 1 as inbound,
                case (n / 500) % 10 when 8 then 'no-answer' when 9 then 'busy' else 'completed' end as outcome,
                '+91' || (7000000000 + n % 2000000000)::text as customer) call,
            lateral (select not pending and outcome = 'completed' as answered) talk,
            -- As Exotel's: the last four characters are its day.
            lateral (select left(hash, 28) || lpad(to_hex(extract(year from began)::integer - 2000), 2, '0') || to_hex(extract(month from began)::integer)
                || substr('123456789abcdefghijklmnopqrstuv', extract(day from began)::integer, 1) as sid) provider,
            lateral (select to_char(began at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at) clock,
            lateral (select jsonb_build_object('at', clock.at, 'event', 'created', 'source', 'api', 'attempt', 1, 'status', 'PENDING') as created) first
        """;
}
