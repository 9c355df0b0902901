using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// The one public address of all hosts: passes each request on to one that is up, or to the one that it names, up or not. As a real one
/// it knows of a host's end a moment late.
/// </summary>
internal sealed class Balancer(IReadOnlyList<StormHost> hosts) : DelegatingHandler(new SocketFailures(new SocketsHttpHandler
{
    AllowAutoRedirect = false,
    UseProxy = false,
    ConnectTimeout = TimeSpan.FromSeconds(2),
}))
{
    private int turn;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var host = request.Options.TryGetValue(Copy.DoorKey, out var door) ? hosts[door % hosts.Count] : Next();
        var asked = request.RequestUri!;
        request.RequestUri = new UriBuilder(asked) { Host = host.Url.Host, Port = host.Url.Port }.Uri;
        return base.SendAsync(request, cancellationToken);
    }

    private StormHost Next()
    {
        var first = Interlocked.Increment(ref turn) & int.MaxValue;
        for (var offset = 0; offset < hosts.Count; offset++)
        {
            if (hosts[(first + offset) % hosts.Count] is { State: HostState.Up } host) return host;
        }

        return hosts[first % hosts.Count];
    }
}
