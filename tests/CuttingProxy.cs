using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>
/// Stands between a host and PostgreSQL, and cuts a connection at the worst moment: a statement has been committed, and its answer has not
/// arrived.
/// </summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly NpgsqlConnectionStringBuilder target;
    private readonly CancellationTokenSource end = new();
    private readonly Task accepting;
    private string? marker;
    private int cuts;

    public CuttingProxy(string connectionString)
    {
        target = new(connectionString);
        listener.Start();
        accepting = Accept();
    }

    public string ConnectionString => new NpgsqlConnectionStringBuilder(target.ConnectionString)
    {
        Host = "127.0.0.1",
        Port = ((IPEndPoint)listener.LocalEndpoint).Port,
        SslMode = SslMode.Disable,
    }.ConnectionString;

    public int Cuts => cuts;

    /// <summary>Cuts once: when the answer to a statement with this text arrives. Only a statement's first use on a connection has its text.</summary>
    public void CutAfter(string text) => Volatile.Write(ref marker, text);

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        listener.Stop();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        end.Dispose();
    }

    private async Task Accept()
    {
        while (!end.IsCancellationRequested)
        {
            var client = await listener.AcceptTcpClientAsync(end.Token);
            _ = Serve(client);
        }
    }

    private async Task Serve(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient();
        await far.ConnectAsync(target.Host!, target.Port, end.Token);
        var marked = false;
        try
        {
            await await Task.WhenAny(
                Forward(near, far, sent =>
                {
                    if (Volatile.Read(ref marker) is { } text && Encoding.UTF8.GetString(sent).Contains(text, StringComparison.Ordinal)
                        && Interlocked.CompareExchange(ref marker, null, text) == text) marked = true;
                    return true;
                }),
                // A small answer leaves the server only after the commit.
                Forward(far, near, _ => !marked));
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            // One side has closed; the other is closed with it.
        }

        if (marked) Interlocked.Increment(ref cuts);
    }

    private async Task Forward(TcpClient from, TcpClient to, Func<byte[], bool> goesOn)
    {
        var buffer = new byte[64 * 1024];
        while (await from.GetStream().ReadAsync(buffer, end.Token) is > 0 and var count)
        {
            if (!goesOn(buffer[..count])) return;
            await to.GetStream().WriteAsync(buffer.AsMemory(0, count), end.Token);
        }
    }
}
