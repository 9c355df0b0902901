using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Tests;

/// <summary>A fake Exotel on a free port, and a client of it that knows nothing but Exotel's API.</summary>
internal sealed class PlayedExotel : IAsyncDisposable
{
    private readonly string ledger;
    private readonly HttpClient http;

    private PlayedExotel(ExotelServer server, StoppedClock clock, string ledger)
    {
        (Server, Clock, this.ledger) = (server, clock, ledger);
        http = Client("demo-exotel-key:demo-exotel-token");
    }

    public ExotelServer Server { get; }

    public StoppedClock Clock { get; }

    public static async Task<PlayedExotel> Start(string ledger, double speed, int callsPerMinute = 200, TimeSpan? webhookTimeout = null, Uri? voiceUrl = null)
    {
        var clock = new StoppedClock();
        var server = await ExotelServer.Start(
            new()
            {
                Port = 0,
                Seed = 7,
                Speed = speed,
                Ledger = ledger,
                CallsPerMinute = callsPerMinute,
                WebhookTimeout = webhookTimeout ?? TimeSpan.FromSeconds(15),
                VoiceUrl = voiceUrl,
                Time = clock,
            },
            TestContext.Current.CancellationToken);
        return new(server, clock, ledger);
    }

    public HttpClient Client(string credentials) => new()
    {
        BaseAddress = Server.Address,
        DefaultRequestHeaders = { Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials))) },
    };

    public Task<(HttpStatusCode Status, string Body)> Connect(string script, params (string Name, string? Value)[] fields) =>
        Connect(script, json: true, multipart: false, fields);

    /// <summary>Dials the number of a script. A field given as null is left out.</summary>
    public async Task<(HttpStatusCode Status, string Body)> Connect(
        string script, bool json = true, bool multipart = false, params (string Name, string? Value)[] fields)
    {
        using var response = await Post(script, json, multipart, fields);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public Task<HttpResponseMessage> Post(
        string script, bool json = true, bool multipart = false, (string Name, string? Value)[]? fields = null, CancellationToken? cancellation = null)
    {
        var all = new Dictionary<string, string?>
        {
            ["From"] = $"+91990000{script}",
            ["CallerId"] = "+918047110000",
            ["Url"] = "http://my.exotel.com/demo/exoml/start_voice/1",
        };
        foreach (var (name, value) in fields ?? []) all[name] = value;

        var given = all.Where(field => field.Value is not null).Select(field => KeyValuePair.Create(field.Key, field.Value!)).ToList();
        HttpContent content = new FormUrlEncodedContent(given);
        if (multipart)
        {
            var parts = new MultipartFormDataContent();
            foreach (var (name, value) in given) parts.Add(new StringContent(value), name);
            content = parts;
        }

        return http.PostAsync($"v1/Accounts/demo/Calls/connect{(json ? ".json" : "")}", content, cancellation ?? TestContext.Current.CancellationToken);
    }

    public async Task<(HttpStatusCode Status, string Body)> Get(string path)
    {
        using var response = await http.GetAsync(path, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public async Task<JsonObject> Call(string sid, string query) =>
        JsonNode.Parse((await Get($"v1/Accounts/demo/Calls/{sid}.json{query}")).Body)!["Call"]!.AsObject();

    public async Task<(string[] Sids, string? Previous, string? Next, int Total)> Page(string path)
    {
        var page = JsonNode.Parse((await Get(path)).Body)!;
        var pages = page["Metadata"]!;
        return (
            [.. page["Calls"]!.AsArray().Select(call => call!["Sid"]!.GetValue<string>())],
            pages["PrevPageUri"]?.GetValue<string>(),
            pages["NextPageUri"]?.GetValue<string>(),
            pages["Total"]!.GetValue<int>());
    }

    public IReadOnlyList<LedgerEntry> Ledger() => Simulator.Provider.Ledger.Read(ledger);

    public IReadOnlyList<LedgerEntry> Dials() => [.. Ledger().Where(line => line.Kind == LedgerKind.Dial)];

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await Server.DisposeAsync();
    }

    /// <summary>A clock that a test moves. What waits still waits for real, but so shortly that nobody notices.</summary>
    internal sealed class StoppedClock : TimeProvider
    {
        private DateTimeOffset now = new(2027, 1, 1, 9, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => now;

        public void Advance(TimeSpan by) => now += by;
    }
}

internal static class ExotelAnswers
{
    public static string Sid(this (HttpStatusCode Status, string Body) answer) => JsonNode.Parse(answer.Body)!["Call"]!["Sid"]!.GetValue<string>();

    public static void ShouldBeError(this string body, int status, string message)
    {
        var error = JsonNode.Parse(body)!["RestException"]!;
        error["Message"]!.GetValue<string>().ShouldBe(message);
        error["Status"]!.GetValue<int>().ShouldBe(status);
    }
}
