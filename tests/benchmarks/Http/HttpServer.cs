using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace CallOrchestration.Benchmarks.Http;

/// <summary>Something that serves the product's API: the product, or Fastify.</summary>
/// <param name="Name">How it is called in the tables.</param>
/// <param name="Configuration">For whoever wants to judge it.</param>
/// <param name="Start">By connection string and port.</param>
internal sealed record HttpContender(string Name, string Configuration, Func<string, int, ProcessStartInfo> Start)
{
    public static readonly HttpContender Product = new(
        "CallOrchestration",
        "the Release host with its defaults",
        (connectionString, port) =>
        {
            var start = Child.Dotnet("CallOrchestration.Host.dll", "--urls", $"http://127.0.0.1:{port}");
            start.Environment["ConnectionStrings__CallOrchestration"] = connectionString;
            return start;
        });

    public static readonly HttpContender FastifyDefault =
        Fastify("Fastify, default", """{"processes": 1, "prepared": false, "pool": 10, "answersCompiled": false}""");

    // As many processes as cores; a pool of 10, 20 or 40 for each made no difference that could be told from noise.
    public static readonly HttpContender FastifyBest =
        Fastify("Fastify, best", """{"processes": 2, "prepared": true, "pool": 20, "answersCompiled": true}""");

    public static IReadOnlyList<HttpContender> All { get; } = [Product, FastifyBest, FastifyDefault];

    public bool IsOurs => this == Product;

    private static HttpContender Fastify(string name, string configuration) => new(name, $"Fastify 5 with pg, {configuration}", (connectionString, port) =>
    {
        var settings = JsonSerializer.Deserialize<Dictionary<string, object>>(configuration)!;
        settings["connectionString"] = NodePeers.Url(connectionString);
        settings["port"] = port;
        return NodePeers.Script("fastify.mjs", JsonSerializer.Serialize(settings));
    });
}

/// <summary>One of them, running on a database.</summary>
internal sealed class HttpServer : IAsyncDisposable
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(20);

    private readonly Child process;

    private HttpServer(Child process, int port) => (this.process, Address) = (process, new(IPAddress.Loopback, port));

    public IPEndPoint Address { get; }

    public int Id => process.Id;

    public static async Task<HttpServer> Start(Bench bench, HttpContender contender, string connectionString)
    {
        var port = FreePort();
        var server = new HttpServer(Child.Start(contender.Name, contender.Start(connectionString, port)), port);
        try
        {
            await server.BecomesReady(bench.Cancellation);
            if (bench.Options.Trace && contender.IsOurs) Tracing.TellHowToAttach([server.process]);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    /// <summary>Waits for <c>/health/ready</c>.</summary>
    public static async Task BecomesReady(Child process, IPEndPoint address, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        (http.BaseAddress, http.Timeout) = (new($"http://{address}"), TimeSpan.FromSeconds(10));
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < LongestStart; await Task.Delay(BetweenLooks, cancellation))
        {
            process.MustRun();
            try
            {
                using var answer = await http.GetAsync(new Uri("health/ready", UriKind.Relative), cancellation);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not yet.
            }
        }

        throw new CannotMeasureException($"{process.Name} was not ready within {LongestStart.TotalSeconds:0} s.");
    }

    public ValueTask DisposeAsync() => process.DisposeAsync();

    private Task BecomesReady(CancellationToken cancellation) => BecomesReady(process, Address, cancellation);
}
