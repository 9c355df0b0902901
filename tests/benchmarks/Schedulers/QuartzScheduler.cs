using System.Diagnostics;
using System.Text.Json;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>Quartz.NET 4, the job library of .NET that most would take.</summary>
internal sealed class QuartzScheduler(string name, QuartzSettings settings, string configuration) : Scheduler
{
    // Adding a trigger by its API takes it most of a millisecond: past this, one is added and copied.
    private const int MostByItsApi = 50_000;

    public override string Name => name;

    public override string Configuration => configuration;

    public override string Kind => "quartz";

    // A trigger that has fired for the last time is deleted; while its job runs there is a row of that.
    public override string UnfinishedSql =>
        $"""
        select (select count(*) from qrtz_triggers where trigger_name::bigint < {StartRecorder.WarmUpFrom})
            + (select count(*) from qrtz_fired_triggers)
        """;

    public override Task Prepare(string connectionString, CancellationToken cancellation) => Run("prepare", connectionString, null, cancellation);

    public override async Task Fill(string connectionString, Rows rows, CancellationToken cancellation)
    {
        if (rows.Count <= MostByItsApi)
        {
            await Run("fill", connectionString, rows, cancellation);
            return;
        }

        await Run("fill", connectionString, rows with { Count = 1 }, cancellation);
        await using var connection = new NpgsqlConnection(connectionString);
        foreach (var table in (string[])["qrtz_triggers", "qrtz_simple_triggers"])
        {
            var parameters = new { first = rows.First, last = rows.First + rows.Count - 1, ticks = rows.Step.Ticks };
            await connection.ExecuteAsync(CopySql(table), parameters, commandTimeout: 0);
        }
    }

    public override ProcessStartInfo Process(string connectionString) => Order("run", connectionString, null);

    private async Task Run(string what, string connectionString, Rows? rows, CancellationToken cancellation)
    {
        await using var child = Child.Start($"{name}, {what}", Order(what, connectionString, rows));
        await child.Ended(cancellation);
    }

    private ProcessStartInfo Order(string what, string connectionString, Rows? rows)
    {
        var start = Child.Dotnet("CallOrchestration.Benchmarks.dll", QuartzChild.Command, what);
        start.Environment["BENCHMARK_SETTINGS"] = JsonSerializer.Serialize(new QuartzChild.Order(connectionString, settings, rows));
        return start;
    }

    // Whatever columns its version has; what is not named is as in the first.
    private static string CopySql(string table) =>
        $"""
        insert into {table}
        select (jsonb_populate_record(t, jsonb_build_object('trigger_name', n::text)
            || case when '{table}' = 'qrtz_triggers' then jsonb_build_object(
                'next_fire_time', (to_jsonb(t) ->> 'next_fire_time')::bigint + (n - @first) * @ticks,
                'start_time', (to_jsonb(t) ->> 'start_time')::bigint + (n - @first) * @ticks) else '{"{}"}' end)).*
        from {table} t, generate_series(@first::bigint + 1, @last::bigint) n
        where t.trigger_name = @first::text
        """;
}
