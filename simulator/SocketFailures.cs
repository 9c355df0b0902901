using System.Net.Sockets;

namespace CallOrchestration.Simulator;

/// <summary>
/// A connection that is reset as it is accepted fails like any other that could not be made. The handler of .NET asks the new connection for its
/// other end, and lets that <see cref="SocketException"/> through as it is.
/// </summary>
internal sealed class SocketFailures(SocketsHttpHandler sockets) : DelegatingHandler(sockets)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (SocketException reset)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, inner: reset);
        }
    }
}
