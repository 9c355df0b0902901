using System.Diagnostics;
using System.Text.Json;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>A peer in Node: peers/pg-boss.mjs or peers/graphile-worker.mjs.</summary>
internal sealed class NodeScheduler(string name, string script, string configuration, string unfinishedSql) : Scheduler
{
    public override string Name => name;

    public override string Configuration => configuration;

    public override string Kind => script.Replace("-", "_", StringComparison.Ordinal);

    public override string UnfinishedSql => unfinishedSql;

    public override Task Prepare(string connectionString, CancellationToken cancellation) => Run("prepare", connectionString, null, cancellation);

    public override Task Fill(string connectionString, Rows rows, CancellationToken cancellation) => Run("fill", connectionString, rows, cancellation);

    public override ProcessStartInfo Process(string connectionString) => Script("run", connectionString, null);

    private async Task Run(string command, string connectionString, Rows? rows, CancellationToken cancellation)
    {
        await using var child = Child.Start($"{name}, {command}", Script(command, connectionString, rows));
        await child.Ended(cancellation);
    }

    private ProcessStartInfo Script(string command, string connectionString, Rows? rows)
    {
        // Each script reads the part that is its own.
        var settings = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(configuration)!.ToDictionary(pair => pair.Key, pair => (object?)pair.Value);
        settings["connectionString"] = NodePeers.Url(connectionString);
        if (rows is not null)
        {
            settings["rows"] = new
            {
                first = rows.First,
                count = rows.Count,
                due = rows.Due.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
                step = $"{rows.Step.TotalMilliseconds.ToString(CultureInfo.InvariantCulture)} milliseconds",
                stepMs = rows.Step.TotalMilliseconds,
            };
        }

        return NodePeers.Script($"{script}.mjs", JsonSerializer.Serialize(settings), command);
    }
}
