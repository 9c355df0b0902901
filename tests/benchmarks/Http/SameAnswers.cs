using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CallOrchestration.Benchmarks.Report;

namespace CallOrchestration.Benchmarks.Http;

/// <summary>Whoever answers less has less to do: before the reads are compared, the same requests must bring the same answers.</summary>
internal static partial class SameAnswers
{
    public static async Task Prove(Bench bench, CellReport report, string template, IReadOnlyList<Tenant> tenants)
    {
        var database = await bench.Cluster.Create(template);
        try
        {
            var answers = new List<string[]>();
            foreach (var contender in HttpContender.All)
            {
                await using var server = await HttpServer.Start(bench, contender, database);
                answers.Add(await Answers(server, tenants[0], bench.Cancellation));
            }

            foreach (var (contender, theirs) in HttpContender.All.Zip(answers).Skip(1))
            {
                foreach (var (ours, other) in answers[0].Zip(theirs).Where(pair => pair.First != pair.Second))
                    report.Fault($"{contender.Name} answers otherwise: {ours[..Math.Min(ours.Length, 300)]} | {other[..Math.Min(other.Length, 300)]}");
            }
        }
        finally
        {
            await bench.Cluster.Drop(database);
        }
    }

    // A page, the page after it, a single call of it.
    private static async Task<string[]> Answers(HttpServer server, Tenant tenant, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://{server.Address}") };
        http.DefaultRequestHeaders.Authorization = new("Bearer", tenant.ApiKey);
        var page = await Get("api/calls?status=COMPLETED&direction=OUTBOUND&outcome=completed&limit=50");
        var next = await Get($"api/calls?limit=3&status=COMPLETED&cursor={page["next_cursor"]}");
        var call = await Get($"api/calls/{page["items"]![0]!["id"]}");
        return [Plain(page), Plain(next), Plain(call)];

        async Task<JsonNode> Get(string path) => JsonNode.Parse(await http.GetStringAsync(new Uri(path, UriKind.Relative), cancellation))!;
    }

    // The order of the fields, the cursor's form and the zeros at the end of a time are each server's own.
    private static string Plain(JsonNode answer) => ZerosAtTheEnd().Replace(Sorted(answer)!.ToJsonString(), "$1Z\"");

    [GeneratedRegex(@"(?:(\.[0-9]*[1-9])|\.)0*Z""")]
    private static partial Regex ZerosAtTheEnd();

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject fields => new JsonObject(fields.OrderBy(field => field.Key, StringComparer.Ordinal)
            .Select(field => KeyValuePair.Create(field.Key, field.Key == "next_cursor" ? JsonValue.Create(field.Value is not null) : Sorted(field.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
