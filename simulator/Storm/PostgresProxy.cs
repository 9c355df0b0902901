using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// Stands between one host and PostgreSQL. It passes everything on, message by message, until it is told to cut: all connections at once,
/// or one at the moment of a commit, exactly before the server hears of it or exactly after the server has done it.
/// </summary>
internal sealed class PostgresProxy : IAsyncDisposable
{
    private const char ReadyForQuery = 'Z';

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly NpgsqlConnectionStringBuilder target;
    private readonly ConcurrentDictionary<Link, bool> links = [];
    private readonly CancellationTokenSource end = new();
    private readonly Task accepting;
    private volatile Task gate = Task.CompletedTask;
    private readonly ConcurrentQueue<Cut> armed = [];

    public PostgresProxy(string connectionString)
    {
        target = new(connectionString);
        listener.Start();
        accepting = Accept();
    }

    /// <summary>The target's, by way of this proxy.</summary>
    public NpgsqlConnectionStringBuilder ConnectionString => new(target.ConnectionString)
    {
        Host = "127.0.0.1",
        Port = ((IPEndPoint)listener.LocalEndpoint).Port,
        SslMode = SslMode.Disable,
    };

    public int Open => links.Count;

    /// <summary>Cuts every connection that there is.</summary>
    /// <returns>How many.</returns>
    public int CutAll()
    {
        var cut = 0;
        foreach (var link in links.Keys)
        {
            link.Close();
            cut++;
        }

        return cut;
    }

    /// <summary>Cuts the next connection on which something is committed. Ends when it has been cut; true within the time given.</summary>
    public async Task<bool> CutNextCommit(bool after, TimeSpan within)
    {
        var cut = new Cut(after);
        armed.Enqueue(cut);
        await Task.WhenAny(cut.Done.Task, Task.Delay(within, end.Token));
        // What comes too late does not strike any more.
        return !cut.Done.TrySetCanceled() && cut.Done.Task.IsCompletedSuccessfully;
    }

    /// <summary>Passes nothing on for a while; everything that is sent meanwhile arrives afterwards.</summary>
    public async Task Stall(TimeSpan time)
    {
        var opens = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        gate = opens.Task;
        await Task.Delay(time, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        gate = Task.CompletedTask;
        opens.SetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        listener.Stop();
        CutAll();
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
        using var link = new Link(client);
        links[link] = true;
        try
        {
            await link.Server.ConnectAsync(target.Host!, target.Port, end.Token);
            await await Task.WhenAny(FromClient(link), FromServer(link));
        }
        catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has closed, or was cut; the other is closed with it.
        }
        finally
        {
            links.TryRemove(link, out _);
            // Something else has cut this connection before: the next commit is struck instead.
            if (link.CutAtReady is { Done.Task.IsCompleted: false } cut) armed.Enqueue(cut);
        }
    }

    private async Task FromClient(Link link)
    {
        var frames = new PostgresFrames(begins: true);
        var watch = new CommitWatch();
        while (await link.Client.GetStream().ReadAsync(frames.Room(), end.Token) is > 0 and var count)
        {
            frames.Add(count);
            using var whole = new MemoryStream();
            while (frames.TryRead(out var type, out var message))
            {
                if (watch.Commits(type, message.Span) && NextCut() is { } cut)
                {
                    if (!cut.After)
                    {
                        cut.Done.TrySetResult();
                        return;
                    }

                    link.CutAtReady = cut;
                }

                whole.Write(message.Span);
            }

            await gate;
            await link.Server.GetStream().WriteAsync(whole.GetBuffer().AsMemory(0, (int)whole.Length), end.Token);
        }
    }

    private Cut? NextCut()
    {
        while (armed.TryDequeue(out var cut))
        {
            if (!cut.Done.Task.IsCompleted) return cut;
        }

        return null;
    }

    private async Task FromServer(Link link)
    {
        var frames = new PostgresFrames(begins: false);
        while (await link.Server.GetStream().ReadAsync(frames.Room(), end.Token) is > 0 and var count)
        {
            frames.Add(count);
            using var whole = new MemoryStream();
            while (frames.TryRead(out var type, out var message))
            {
                whole.Write(message.Span);
                if (type != ReadyForQuery || link.CutAtReady is not { } cut) continue;
                // The server is ready for the next: the commit has taken effect, and nobody is told.
                cut.Done.TrySetResult();
                return;
            }

            await gate;
            // Half an answer to a statement that is about to be cut would tell the client that it went well.
            if (link.CutAtReady is null) await link.Client.GetStream().WriteAsync(whole.GetBuffer().AsMemory(0, (int)whole.Length), end.Token);
        }
    }

    private sealed record Cut(bool After)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Link(TcpClient client) : IDisposable
    {
        private volatile Cut? cutAtReady;

        public TcpClient Client { get; } = NoDelay(client);
        public TcpClient Server { get; } = NoDelay(new TcpClient());

        public Cut? CutAtReady
        {
            get => cutAtReady;
            set => cutAtReady = value;
        }

        public void Close()
        {
            // With a reset, as by a network that is gone, and not with a farewell.
            Client.Client.Close(0);
            Server.Client.Close(0);
        }

        public void Dispose() => Close();

        private static TcpClient NoDelay(TcpClient socket)
        {
            socket.NoDelay = true;
            return socket;
        }
    }
}
