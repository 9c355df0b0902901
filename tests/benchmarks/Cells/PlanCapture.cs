using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CallOrchestration.Benchmarks.Http;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Cells;

/// <summary>
/// The plans of the product's statements as the server ran them for the real host: by PostgreSQL's auto_explain, so with the statements, the
/// parameters and the cached plans that there really are, and not with a copy of them.
/// </summary>
internal static partial class PlanCapture
{
    private const int Due = 1000;

    // The driver prepares a statement at its fifth use, and PostgreSQL looks at it five times before it keeps a plan.
    private const int TimesAsked = 12;

    private static readonly TimeSpan UntilDialled = TimeSpan.FromSeconds(5);

    private static readonly string[] Lists =
    [
        "", "status=COMPLETED", "status=PENDING", "direction=INBOUND", "outcome=busy", "from=%2B918047110000", "to=%2B917000000050",
        "created_after=2020-01-01T00:00:00Z", "created_before=2099-01-01T00:00:00Z", "due_before=2099-01-01T00:00:00Z",
        "status=COMPLETED&direction=OUTBOUND&outcome=completed",
    ];

    public static async Task Run(Bench bench, CellReport report, string database, IReadOnlyList<Tenant> tenants)
    {
        await Switch(database, on: true);
        try
        {
            var seen = new FileInfo(bench.Cluster.ServerLog).Length;
            await CallRows.Insert(database, new(0, Due, DateTime.UtcNow, TimeSpan.Zero));
            await using var server = await HttpServer.Start(bench, HttpContender.Product, database);
            await Task.Delay(UntilDialled, bench.Cancellation);
            // What goes on by itself is known from here on, and is not the requests' doing.
            HashSet<string> itself = [];
            itself.UnionWith(Add("scheduler"));

            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://{server.Address}") };
            http.DefaultRequestHeaders.Authorization = new("Bearer", tenants[0].ApiKey);
            foreach (var list in Lists) await Ask($"/api/calls?{list}", $"GET /api/calls?{Uri.UnescapeDataString(list)}");
            var page = await Ask("/api/calls?limit=1", "GET /api/calls?limit=1");
            await Ask($"/api/calls/{JsonDocument.Parse(page).RootElement.GetProperty("items")[0].GetProperty("id")}", "GET /api/calls/{id}");
            await Ask("/api/calls/summary", "GET /api/calls/summary");

            // More than once: a plan that is cached may be another than the first.
            async Task<string> Ask(string path, string during)
            {
                var answer = "";
                for (var time = 0; time < TimesAsked; time++) answer = await http.GetStringAsync(new Uri(path, UriKind.Relative), bench.Cancellation);
                Add(during);
                return answer;
            }

            IReadOnlyList<string> Add(string during)
            {
                var worst = Read(bench.Cluster.ServerLog, ref seen)
                    .GroupBy(found => Name(found.Query)).Where(group => !itself.Contains(group.Key))
                    .Select(group => (Name: group.Key, Plan: group.OrderBy(found => found.Read).Last()))
                    .OrderByDescending(found => found.Plan.Read).ToList();
                foreach (var (name, plan) in worst) report.Add(new($"{during}: {name}", plan.Read, plan.Returned, plan.Text));
                return [.. worst.Select(found => found.Name)];
            }
        }
        finally
        {
            await Switch(database, on: false);
            await using var connection = new NpgsqlConnection(database);
            await connection.ExecuteAsync("delete from calls where status = 'IN_PROGRESS'", commandTimeout: 0);
        }
    }

    private static async Task Switch(string database, bool on)
    {
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        await using (var connection = new NpgsqlConnection(database))
            await connection.ExecuteAsync(on ? $"alter database {name} set session_preload_libraries = 'auto_explain'" : $"alter database {name} reset all");
        // The library is loaded when a connection begins, and only then the server knows its settings.
        NpgsqlConnection.ClearAllPools();
        if (!on) return;
        await using (var connection = new NpgsqlConnection(database))
        {
            foreach (var (setting, value) in ((string, string)[])[("log_min_duration", "0"), ("log_analyze", "on"), ("log_buffers", "on"), ("log_format", "json")])
                await connection.ExecuteAsync($"alter database {name} set auto_explain.{setting} = '{value}'");
        }

        NpgsqlConnection.ClearAllPools();
    }

    private sealed record Found(string Query, long Read, long Returned, string Text);

    // The log writes a plan as JSON over many lines, each but the first with a tab before it.
    private static List<Found> Read(string log, ref long from)
    {
        using var file = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Seek(from, SeekOrigin.Begin);
        var text = new StreamReader(file, Encoding.UTF8).ReadToEnd();
        from = file.Length;
        return [.. Plans().Matches(text)
            .Select(match => Understand(JsonDocument.Parse(match.Groups["plan"].Value.Replace("\n\t", "\n", StringComparison.Ordinal)).RootElement))
            .Where(found => found.Query.Contains("calls", StringComparison.Ordinal))];
    }

    private static Found Understand(JsonElement explained)
    {
        var plan = explained.GetProperty("Plan");
        var nodes = Nodes(plan).ToList();
        var read = nodes.Where(node => node.TryGetProperty("Relation Name", out _) && Text(node, "Node Type") != "ModifyTable").Sum(RowsRead);
        // A statement that changes rows returns them in this sense, whether it tells them or not.
        var changed = nodes.Where(node => Text(node, "Node Type") == "ModifyTable").Sum(node => node.GetProperty("Plans").EnumerateArray().Sum(Rows));
        return new(Text(explained, "Query Text"), read, Math.Max(Rows(plan), changed), Printed(plan, 0));
    }

    private static IEnumerable<JsonElement> Nodes(JsonElement node) =>
        node.TryGetProperty("Plans", out var plans) ? plans.EnumerateArray().SelectMany(Nodes).Prepend(node) : [node];

    private static long Rows(JsonElement node) => Number(node, "Actual Rows") * Number(node, "Actual Loops");

    private static long RowsRead(JsonElement node) =>
        (Number(node, "Actual Rows") + Number(node, "Rows Removed by Filter") + Number(node, "Rows Removed by Index Recheck")) * Number(node, "Actual Loops");

    private static long Number(JsonElement node, string name) => node.TryGetProperty(name, out var value) ? (long)value.GetDouble() : 0;

    private static string Text(JsonElement node, string name) => node.TryGetProperty(name, out var value) ? value.GetString()! : "";

    // As explain prints it, with what decides here.
    private static string Printed(JsonElement node, int depth)
    {
        var line = new StringBuilder(new string(' ', 2 * depth)).Append(Text(node, "Node Type"));
        if (Text(node, "Index Name") is { Length: > 0 } index) line.Append(" using ").Append(index);
        if (Text(node, "Relation Name") is { Length: > 0 } relation) line.Append(" on ").Append(relation);
        line.Append(CultureInfo.InvariantCulture, $" (rows={Rows(node)} loops={Number(node, "Actual Loops")} removed={Number(node, "Rows Removed by Filter")}");
        line.Append(CultureInfo.InvariantCulture, $" time={node.GetProperty("Actual Total Time")} ms,");
        line.Append(CultureInfo.InvariantCulture, $" buffers: hit={Number(node, "Shared Hit Blocks")} read={Number(node, "Shared Read Blocks")})");
        foreach (var condition in (string[])["Index Cond", "Filter"])
        {
            if (Text(node, condition) is { Length: > 0 } what) line.Append('\n').Append(' ', 2 * depth + 2).Append(condition).Append(": ").Append(what);
        }

        if (node.TryGetProperty("Plans", out var plans))
        {
            foreach (var child in plans.EnumerateArray()) line.Append('\n').Append(Printed(child, depth + 1));
        }

        return line.ToString();
    }

    /// <summary>What a statement is called in the product, found by its text; else its beginning.</summary>
    private static string Name(string query)
    {
        var text = Plain(query);
        return ProductStatements.All.FirstOrDefault(statement => Plain(statement.Sql) == text)?.Name ?? $"{text[..Math.Min(text.Length, 30)]} …";
    }

    // The driver numbers the parameters, and takes away nothing else.
    private static string Plain(string sql) => Blanks().Replace(Parameter().Replace(sql, "?"), " ").Trim();

    [GeneratedRegex(@"LOG:  duration: [0-9.]+ ms  plan:\n(?<plan>\t\{\n(?:\t.*\n)*\t\})")]
    private static partial Regex Plans();

    [GeneratedRegex(@"@[A-Za-z]\w*|\$[0-9]+")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
