using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace CallOrchestration.Benchmarks.Http;

/// <summary>What a load brought about.</summary>
/// <param name="Requests">Answered as expected.</param>
/// <param name="Elapsed">From the first request to the last answer.</param>
/// <param name="Latencies">Of every request, in milliseconds.</param>
/// <param name="Unexpected">Every other answer, by what it was.</param>
internal sealed record LoadResult(int Requests, TimeSpan Elapsed, IReadOnlyList<double> Latencies, IReadOnlyDictionary<string, int> Unexpected)
{
    public double Rate => Requests / Elapsed.TotalSeconds;
}

/// <summary>
/// A load of HTTP/1.1 requests whose bytes are made beforehand, over connections that stay open, each sending its next request when it has the answer
/// to the last. The same for every server.
/// </summary>
internal static class HttpLoad
{
    public const int Connections = 64;

    private const int BufferBytes = 256 * 1024;

    /// <summary>Request, headers and body as they are sent.</summary>
    public static byte[] Request(string method, string path, string? bearer = null, string? contentType = null, string body = "")
    {
        var request = new StringBuilder($"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        if (bearer is not null) request.Append("Authorization: Bearer ").Append(bearer).Append("\r\n");
        if (contentType is not null) request.Append("Content-Type: ").Append(contentType).Append("\r\n");
        if (method != "GET") request.Append(CultureInfo.InvariantCulture, $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n");
        return Encoding.UTF8.GetBytes(request.Append("\r\n").Append(body).ToString());
    }

    /// <summary>Until a time is over, or until the connections have no request left.</summary>
    /// <param name="server">Where.</param>
    /// <param name="next">The next request of a connection; null: it has done its part.</param>
    /// <param name="expected">The one status that counts.</param>
    /// <param name="mark">Must be in the answer too, where it is given.</param>
    /// <param name="duration">Null: until every connection has done its part.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<LoadResult> Run(
        IPEndPoint server, Func<int, byte[]?> next, int expected, byte[]? mark, TimeSpan? duration, CancellationToken cancellation)
    {
        var connections = new List<Connection>();
        try
        {
            for (var number = 0; number < Connections; number++) connections.Add(await Connection.Open(server, cancellation));
            var begin = Stopwatch.GetTimestamp();
            var end = duration is { } limit ? begin + (long)(limit.TotalSeconds * Stopwatch.Frequency) : long.MaxValue;
            await Task.WhenAll(connections.Select((connection, number) =>
                Task.Run(() => connection.Work(() => next(number), expected, mark, end, cancellation), cancellation)));
            var elapsed = Stopwatch.GetElapsedTime(begin);
            return new(
                connections.Sum(connection => connection.Latencies.Count),
                elapsed,
                [.. connections.SelectMany(connection => connection.Latencies)],
                connections.SelectMany(connection => connection.Unexpected).GroupBy(what => what).ToDictionary(group => group.Key, group => group.Count()));
        }
        catch (SocketException error)
        {
            throw new CannotMeasureException($"The connection to the server under load broke: {error.Message}");
        }
        finally
        {
            foreach (var connection in connections) connection.Dispose();
        }
    }

    private sealed class Connection(Socket socket) : IDisposable
    {
        private readonly byte[] buffer = new byte[BufferBytes];

        public List<double> Latencies { get; } = [];

        public List<string> Unexpected { get; } = [];

        public static async Task<Connection> Open(IPEndPoint server, CancellationToken cancellation)
        {
            var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(server, cancellation);
            return new(socket);
        }

        public async Task Work(Func<byte[]?> next, int expected, byte[]? mark, long end, CancellationToken cancellation)
        {
            while (Stopwatch.GetTimestamp() < end && next() is { } request)
            {
                var sent = Stopwatch.GetTimestamp();
                await socket.SendAsync(request, cancellation);
                var (length, status) = await Receive(cancellation);
                var latency = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
                if (status != expected) Unexpected.Add($"answered {status}");
                else if (mark is not null && buffer.AsSpan(0, length).IndexOf(mark) < 0) Unexpected.Add($"{status} without {Encoding.UTF8.GetString(mark)}");
                else Latencies.Add(latency);
            }
        }

        public void Dispose() => socket.Dispose();

        private async Task<(int Length, int Status)> Receive(CancellationToken cancellation)
        {
            for (var received = 0; ;)
            {
                var more = await socket.ReceiveAsync(buffer.AsMemory(received), cancellation);
                if (more == 0) throw new CannotMeasureException("The server under load closed a connection.");
                received += more;
                if (HttpResponse.Length(buffer.AsSpan(0, received), out var status) is { } length) return (length, status);
            }
        }
    }
}
