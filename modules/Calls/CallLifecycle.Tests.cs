using CallOrchestration.Tests;
using Npgsql;

namespace CallOrchestration.Calls.Tests;

/// <summary>The table guards itself: everything here is written as a person in psql would, past all of our code.</summary>
public sealed class CallLifecycleTests(TestHost host) : IClassFixture<TestHost>
{
    private const string Begin = "update calls set status = 'IN_PROGRESS', next_action_at = now() + interval '1 hour' where id = @id";

    // What shows that the provider has the present attempt.
    private static readonly string[] Traces = ["nothing", "provider_call_id", "answered_at"];

    // As the statements that write most do it, and are let by without the guard's function where they are right.
    private static readonly string[] Books =
    [
        "revision = revision + 1", "claims = claims + (status = 'PENDING')::integer", "updated_at = greatest(clock_timestamp(), updated_at)",
        "history = history || '{\"event\": \"one\"}'",
    ];

    private sealed record Step(string Direction, string From, string To, string? Outcome, bool Retry, string Trace);

    [Fact]
    public async Task The_function_and_the_database_agree_on_every_step_there_is()
    {
        var disagreements = new List<string>();
        var (tried, legal) = (0, 0);
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);

        foreach (var steps in EveryStep().GroupBy(step => (step.Direction, step.From, step.Trace)))
        {
            var call = await At(steps.Key.Direction, steps.Key.From, steps.Key.Trace);
            foreach (var step in steps)
            {
                var says = CallLifecycle.IsLegal(step.Direction, step.From, step.To, step.Outcome, step.Retry, atProvider: step.Trace != "nothing");
                foreach (var books in (string[])["", $", {string.Join(", ", Books)}"])
                {
                    var does = await DatabaseTakes(connection, call, step, books);
                    if (says != does) disagreements.Add($"{step}{books}: the function says {says}, the database {does}");
                    tried++;
                    legal += does ? 1 : 0;
                }
            }
        }

        disagreements.ShouldBeEmpty();
        // Books kept or not, directions, pairs of different states, outcomes with null, retry, traces. Legal for each direction and trace: 1 + 1 + 6 without
        // the way back, which outbound calls have once without and three times with the retry.
        tried.ShouldBe(2 * 2 * 6 * 7 * 2 * 3);
        legal.ShouldBe(2 * ((2 * 3 * 8) + 1 + 3));
    }

    [Fact]
    public async Task There_is_no_second_retry()
    {
        var call = await Pending();
        await Write(Begin, call);
        await Write("update calls set status = 'PENDING', retries = 1 where id = @id", call);
        await Write(Begin, call);

        (await Refused("update calls set status = 'PENDING', retries = 2 where id = @id", call)).ShouldBe("calls_retries");
        (await Refused("update calls set retries = 0 where id = @id", call)).ShouldBe("calls_lifecycle");
    }

    [Fact]
    public async Task What_is_completed_keeps_its_outcome_and_its_retries_but_may_still_learn()
    {
        var call = await Pending();
        await Write("update calls set status = 'COMPLETED', outcome = 'canceled', next_action_at = null where id = @id", call);

        foreach (var outcome in CallOutcome.All.Where(outcome => outcome != CallOutcome.Canceled))
            (await Refused($"update calls set outcome = '{outcome}' where id = @id", call)).ShouldBe("calls_lifecycle");
        (await Refused("update calls set outcome = null where id = @id", call)).ShouldBe("calls_lifecycle");
        (await Refused("update calls set retries = 1 where id = @id", call)).ShouldBe("calls_lifecycle");
        (await Refused("update calls set next_action_at = now() where id = @id", call)).ShouldBe("calls_nothing_after_completed");
        await Write("update calls set recording_url = 'https://example.com/r.mp3', duration_seconds = 7 where id = @id", call);
    }

    [Theory]
    [InlineData("id", "gen_random_uuid()")]
    [InlineData("organization_id", "gen_random_uuid()")]
    [InlineData("direction", "'INBOUND'")]
    [InlineData("created_at", "created_at + interval '1 second'")]
    public async Task What_identifies_a_call_never_changes(string column, string value) =>
        (await Refused($"update calls set {column} = {value} where id = @id", await Pending())).ShouldBe("calls_identity");

    [Fact]
    public async Task Revision_claims_and_update_time_are_the_databases_own_whatever_a_writer_sets()
    {
        const string Kept = "select revision, claims, history_dropped, updated_at >= created_at and updated_at <= clock_timestamp() from calls where id = @id";
        const string Set = "revision = 50, claims = 50, history_dropped = 50, updated_at = '2000-01-01'";
        var call = await Pending("""{"revision": 50, "claims": 50, "history_dropped": 50, "updated_at": "2000-01-01T00:00:00Z"}""");
        (await Read<(int, int, int, bool)>(Kept, call)).ShouldBe((1, 0, 0, true));

        await Write($"update calls set {Set} where id = @id", call);
        (await Read<(int, int, int, bool)>(Kept, call)).ShouldBe((2, 0, 0, true));

        await Write($"update calls set {Set}, status = 'IN_PROGRESS', next_action_at = now() + interval '1 hour' where id = @id", call);
        (await Read<(int, int, int, bool)>(Kept, call)).ShouldBe((3, 1, 0, true));
    }

    [Theory]
    [InlineData("""{"revision": 2}""")]
    [InlineData("""{"claims": 1}""")]
    [InlineData("""{"history_dropped": 1}""")]
    [InlineData("""{"updated_at": "2000-01-01T00:00:00Z"}""")]
    public async Task A_new_call_begins_its_books_whatever_a_writer_sets(string columns) =>
        (await Read<(int, int, int, bool)>(
            "select revision, claims, history_dropped, updated_at = created_at from calls where id = @id", await Pending(columns))).ShouldBe((1, 0, 0, true));

    [Theory]
    [InlineData("revision = revision + 2", null)]
    [InlineData("claims = claims + 2", null)]
    [InlineData("history_dropped = 1", null)]
    [InlineData("updated_at = clock_timestamp() + interval '1 hour'", null)]
    [InlineData("updated_at = created_at - interval '1 second'", null)]
    [InlineData("history = history", null)]
    [InlineData("history = '[{\"event\": \"other\"}]'", "calls_history_only_grows")]
    [InlineData("retries = 1", "calls_lifecycle")]
    [InlineData("id = gen_random_uuid()", "calls_identity")]
    [InlineData("organization_id = gen_random_uuid()", "calls_identity")]
    [InlineData("direction = 'INBOUND'", "calls_identity")]
    [InlineData("created_at = created_at + interval '1 microsecond'", "calls_identity")]
    public async Task One_wrong_entry_in_the_books_and_the_guard_looks_itself(string wrong, string? refusedBy)
    {
        const string Kept =
            """
            select revision, claims, history_dropped, jsonb_array_length(history), updated_at >= created_at and updated_at <= clock_timestamp()
            from calls
            where id = @id
            """;
        var call = await Pending("""{"history": [{"event": "zero"}]}""");
        var write = BeginWith(Books.Where(book => book.Split(' ')[0] != wrong.Split(' ')[0]).Append(wrong));

        if (refusedBy is not null)
        {
            (await Refused(write, call)).ShouldBe(refusedBy);
            return;
        }

        await Write(write, call);
        (await Read<(int, int, int, int, bool)>(Kept, call)).ShouldBe((2, 1, 0, 2, true));
    }

    [Fact]
    public async Task History_only_grows()
    {
        var call = await Pending("""{"history": [{"event": "one"}, {"event": "two"}]}""");

        (await Refused("update calls set history = '[]' where id = @id", call)).ShouldBe("calls_history_only_grows");
        foreach (var rewritten in new[]
        {
            """{"event": "one"}""", """{"event": "one"}, {"event": "other"}""", """{"event": "zero"}, {"event": "one"}, {"event": "two"}""",
            """{"event": "one"}, {"event": "other"}, {"event": "three"}""", """{"event": "one"}, {"event": "other"}, {"event": "three"}, {"event": "four"}""",
        })
        {
            (await Refused($"update calls set history = '[{rewritten}]' where id = @id", call)).ShouldBe("calls_history_only_grows");
        }

        await Write("""update calls set history = history || '{"event": "three"}' where id = @id""", call);
        (await Read<string>("select history::text from calls where id = @id", call)).ShouldBe("""[{"event": "one"}, {"event": "two"}, {"event": "three"}]""");
        await Write("""update calls set history = history || '[{"event": "four"}, {"event": "five"}]' where id = @id""", call);
        (await Read<int>("select jsonb_array_length(history) from calls where id = @id", call)).ShouldBe(5);
    }

    [Fact]
    public async Task The_65th_entry_of_a_history_is_dropped_and_counted_and_so_is_every_later_one()
    {
        const string Kept = "select jsonb_array_length(history), history -> -1 ->> 'event', history_dropped from calls where id = @id";
        const string Add =
            """
            update calls
            set history = history || (select jsonb_agg(jsonb_build_object('event', n)) from generate_series(@first, @last) n)
            where id = @id
            """;
        var call = await Pending();

        await Write(Add, new { call.id, first = 1, last = 64 });
        (await Read<(int, string, int)>(Kept, call)).ShouldBe((64, "64", 0));
        await Write(Add, new { call.id, first = 65, last = 65 });
        (await Read<(int, string, int)>(Kept, call)).ShouldBe((64, "64", 1));
        await Write(Add, new { call.id, first = 66, last = 75 });
        (await Read<(int, string, int)>(Kept, call)).ShouldBe((64, "64", 11));
    }

    [Fact]
    public async Task The_bound_of_the_history_is_kept_also_where_the_books_are()
    {
        var entries = string.Join(", ", Enumerable.Repeat("""{"event": "zero"}""", 64));
        var call = await Pending($$"""{"history": [{{entries}}]}""");

        await Write(BeginWith(Books), call);

        (await Read<(int, string, int)>("select jsonb_array_length(history), history -> -1 ->> 'event', history_dropped from calls where id = @id", call))
            .ShouldBe((64, "zero", 1));
    }

    [Fact]
    public async Task A_change_without_an_entry_is_told_also_where_there_was_none_and_the_books_are_kept()
    {
        var call = await Pending();

        await Write(BeginWith(Books.Where(book => !book.StartsWith("history", StringComparison.Ordinal))), call);

        (await Read<string>("select history -> -1 ->> 'event' from calls where id = @id", call)).ShouldBe("status-changed");
    }

    [Fact]
    public async Task A_status_that_a_person_changes_in_psql_is_told_all_the_same()
    {
        var call = await Pending();
        await Write(Begin, call);

        (await Read<(string, string, string, int)>(
            """
            select last ->> 'event', last ->> 'source', last ->> 'status', (last ->> 'attempt')::integer
            from (select history -> -1 as last from calls where id = @id) c
            """, call))
            .ShouldBe(("status-changed", "database", "IN_PROGRESS", 1));
    }

    [Theory]
    [InlineData("""{"status": "COMPLETED", "outcome": "completed"}""", "calls_lifecycle", null)]
    [InlineData("""{"status": "IN_PROGRESS", "next_action_at": "2027-01-01T00:00:00Z"}""", "calls_lifecycle", null)]
    [InlineData("""{"retries": 1}""", "calls_lifecycle", null)]
    [InlineData("""{"status": "SLEEPING"}""", "calls_lifecycle", "calls_status")]
    [InlineData("""{"direction": "SIDEWAYS"}""", "calls_direction", "calls_direction")]
    [InlineData("""{"outcome": "completed"}""", "calls_outcome_if_completed", "calls_outcome_if_completed")]
    [InlineData("""{"status": "COMPLETED"}""", "calls_lifecycle", "calls_outcome_if_completed")]
    [InlineData("""{"status": "COMPLETED", "outcome": "vanished"}""", "calls_lifecycle", "calls_outcome")]
    [InlineData("""{"status": "COMPLETED", "outcome": "busy", "next_action_at": "2027-01-01T00:00:00Z"}""", "calls_lifecycle", "calls_nothing_after_completed")]
    [InlineData("""{"direction": "INBOUND", "status": "IN_PROGRESS"}""", "calls_waits_never_without_end", "calls_waits_never_without_end")]
    [InlineData("""{"direction": "INBOUND", "next_action_at": "2027-01-01T00:00:00Z"}""", "calls_inbound_is_never_dialled", "calls_inbound_is_never_dialled")]
    [InlineData("""{"direction": "INBOUND", "retries": 1}""", "calls_lifecycle", "calls_retries")]
    [InlineData("""{"retries": 2}""", "calls_lifecycle", "calls_retries")]
    [InlineData("""{"retries": -1}""", "calls_lifecycle", "calls_retries")]
    [InlineData("""{"provider_call_id": "sid"}""", "calls_pending_is_not_at_the_provider", "calls_pending_is_not_at_the_provider")]
    [InlineData("""{"direction": "INBOUND", "status": "IN_PROGRESS", "next_action_at": "2027-01-01T00:00:00Z", "provider_call_id": ""}""",
        "calls_provider_call_id", "calls_provider_call_id")]
    [InlineData("""{"from_number": "08047110000"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": null}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": "+919900000001\n"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": "+123456"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": "+1234567890123456"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": "+0919900000001"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"to_number": "+9199000x0001"}""", "calls_outbound_numbers", "calls_outbound_numbers")]
    [InlineData("""{"duration_seconds": -1}""", "calls_duration_seconds", "calls_duration_seconds")]
    [InlineData("""{"metadata": [1]}""", "calls_metadata", "calls_metadata")]
    [InlineData("""{"history": {}}""", "calls_history", "calls_history")]
    [InlineData("""{"idempotency_key": "k"}""", "calls_idempotency", "calls_idempotency")]
    public async Task An_illegal_row_is_refused_and_by_its_check_also_where_the_trigger_is_off(string row, string constraint, string? withoutTrigger)
    {
        var acme = await host.AddOrganization();
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);
        foreach (var (role, expected) in new[] { ("origin", constraint), ("replica", withoutTrigger) })
        {
            if (expected is null) continue;
            await using var transaction = await connection.BeginTransactionAsync(Cancellation);
            await connection.ExecuteAsync($"set local session_replication_role = {role}");
            (await Should.ThrowAsync<PostgresException>(() => Insert(connection, acme.Id, row))).ConstraintName.ShouldBe(expected);
        }
    }

    [Fact]
    public async Task There_are_two_tables_and_the_migrators_journal()
    {
        (await Read<string[]>(
            """
            select array_agg(schemaname || '.' || tablename)
            from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema')
            """, new { })).ShouldBe(ignoreOrder: true, expected: ["call_orchestration_migrations.journal", "public.calls", "public.organizations"]);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static IEnumerable<Step> EveryStep() =>
        from direction in CallDirection.All
        from before in CallStatus.All
        from after in CallStatus.All
        where before != after
        from outcome in CallOutcome.All.Prepend(null)
        from retry in new[] { false, true }
        from trace in Traces
        select new Step(direction, before, after, outcome, retry, trace);

    /// <summary>A call that came where the step begins, by legal steps.</summary>
    private async Task<Id> At(string direction, string status, string trace)
    {
        var call = await Pending($$"""{"direction": "{{direction}}"}""");
        if (trace == "answered_at") await Write("update calls set answered_at = now() where id = @id", call);
        if (status == CallStatus.Pending) return call;
        await Write(Begin, call);
        if (trace == "provider_call_id") await Write("update calls set provider_call_id = 'sid' where id = @id", call);
        if (status == CallStatus.Completed) await Write("update calls set status = 'COMPLETED', outcome = 'busy', next_action_at = null where id = @id", call);
        return call;
    }

    private static string BeginWith(IEnumerable<string> books) => Begin.Replace(" where ", $", {string.Join(", ", books)} where ", StringComparison.Ordinal);

    private static async Task<bool> DatabaseTakes(NpgsqlConnection connection, Id call, Step step, string books)
    {
        // Never committed.
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        try
        {
            return await connection.ExecuteAsync(
                $"""
                update calls
                set status = @To,
                    outcome = @Outcome,
                    retries = retries + @Retry::integer,
                    next_action_at = case when @To = 'IN_PROGRESS' then now() + interval '1 hour' end,
                    provider_call_id = case when @To = 'PENDING' then null else provider_call_id end{books}
                where id = @id
                """, new { call.id, step.To, step.Outcome, step.Retry }) == 1;
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.CheckViolation)
        {
            return false;
        }
    }

    private sealed record Id(Guid id);

    /// <summary>A new outbound call, with other columns where they are given.</summary>
    private async Task<Id> Pending(string columns = "{}")
    {
        var acme = await host.AddOrganization();
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);
        return new(await Insert(connection, acme.Id, columns));
    }

    private static Task<Guid> Insert(NpgsqlConnection connection, Guid organizationId, string columns) => connection.QuerySingleAsync<Guid>(
        """
        insert into calls
        select (jsonb_populate_record(null::calls, jsonb_build_object(
            'id', @id, 'organization_id', @organizationId, 'direction', 'OUTBOUND', 'status', 'PENDING', 'from_number', '+918047110000',
            'to_number', '+919900000001', 'retries', 0, 'history', '[]'::jsonb, 'history_dropped', 0, 'claims', 0, 'look_ups', 0, 'revision', 1,
            'created_at', now(), 'updated_at', now()) || @columns::jsonb)).*
        returning id
        """, new { id = Guid.CreateVersion7(), organizationId, columns });

    private async Task<T> Read<T>(string sql, object parameters)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);
        return await connection.QuerySingleAsync<T>(sql, parameters);
    }

    private async Task Write(string sql, object parameters)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(Cancellation);
        (await connection.ExecuteAsync(sql, parameters)).ShouldBe(1);
    }

    /// <summary>The constraint that refuses the statement.</summary>
    private async Task<string?> Refused(string sql, object parameters) =>
        (await Should.ThrowAsync<PostgresException>(() => Write(sql, parameters))).ConstraintName;
}
