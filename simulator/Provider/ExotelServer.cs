using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Simulator.Provider;

/// <summary>A fake Exotel on loopback, for any client of Exotel: it knows nothing of whoever calls it.</summary>
internal sealed class ExotelServer : IAsyncDisposable
{
    // A connect has a few hundred bytes.
    private const long LargestBody = 64 * 1024;

    private readonly WebApplication _web;
    private readonly Ledger _ledger;
    private readonly Errands _errands;
    private readonly HttpClient _http;
    private readonly Door _door;
    private readonly CallBook _book = new();
    private readonly CallObject _shown;
    private readonly CallList _list;
    private readonly PlaceCall _place;

    private ExotelServer(ExotelOptions options)
    {
        _ledger = new Ledger(options.Ledger, options.Time, options.DurableLedger, options.Written);
        _errands = new Errands(options.Say);
        _http = new HttpClient(options.Carrier ?? new SocketFailures(new SocketsHttpHandler
        {
            // Exotel follows no redirect, and a proxy cannot know what a client on this machine means by localhost.
            AllowAutoRedirect = false,
            UseProxy = false,
        }))
        {
            Timeout = Timeout.InfiniteTimeSpan, // each delivery has its own
        };
        _door = new Door(options);
        _shown = new CallObject(options);
        _list = new CallList(options, _ledger, _book, _shown);
        _place = new PlaceCall(
            options, _ledger, _book, _shown, new CallStory(options, _ledger, new Callbacks(options, _ledger, _errands, _http)), _errands);
        _web = Build(options);
        _web.Run(Handle);
    }

    /// <summary>Such as <c>http://127.0.0.1:5090</c>; a client's base address.</summary>
    public Uri Address { get; private set; } = null!;

    /// <exception cref="IOException">The port is taken, or the ledger cannot be written.</exception>
    public static async Task<ExotelServer> Start(ExotelOptions options, CancellationToken cancellation = default)
    {
        var server = new ExotelServer(options);
        try
        {
            server._ledger.Write(new() { Kind = LedgerKind.Start, Message = FormattableString.Invariant($"account {options.Account}, seed {options.Seed}, speed {options.Speed}") });
            await server._web.StartAsync(cancellation);
            server.Address = new Uri(server._web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends when every call so far was played to its end and every callback delivered or given up.</summary>
    public Task Quiet() => _errands.Quiet();

    public async ValueTask DisposeAsync()
    {
        // Errands first: a request that waits for its call would hold up the web server.
        await _errands.Stop();
        await _web.StopAsync();
        await _web.DisposeAsync();
        await _errands.DisposeAsync();
        _http.Dispose();
        _ledger.Dispose();
    }

    // Empty on purpose: no settings file or environment of the folder that somebody starts this in may change its address.
    private static WebApplication Build(ExotelOptions options)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, options.Port);
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.AddServerHeader = false;
        });
        builder.Services.AddSingleton<IHostLifetime, OursAlone>();
        return builder.Build();
    }

    private async Task Handle(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        var json = path.EndsWith(".json", StringComparison.Ordinal);
        var answer = new Answer(context, json);
        if ((json ? path[..^5] : path).Split('/') is not ["", "v1", "Accounts", var account, "Calls", .. var rest])
        {
            await answer.Refuse(RestException.NotFound(path));
            return;
        }

        var places = rest is ["connect"] && HttpMethods.IsPost(context.Request.Method);
        if (_door.Refuses(context.Request, account) is { } error)
        {
            await (places ? _place.Refuse(answer, null, null, error) : answer.Refuse(error));
            return;
        }

        await ((context.Request.Method, rest) switch
        {
            ("POST", ["connect"]) => _place.Handle(context, answer),
            ("GET", []) => List(context.Request, answer),
            ("GET", [var sid]) => LookUp(context.Request, answer, path, sid),
            _ => answer.Refuse(new(405, $"{context.Request.Method} is not allowed here")),
        });
    }

    private Task LookUp(HttpRequest request, Answer answer, string path, string sid)
    {
        if (_book.Find(sid) is not { } call) return answer.Refuse(RestException.NotFound(path));
        return call.LookUp(_ledger) switch
        {
            { Error: null, State: var state } => answer.Write(new()
            {
                ["Call"] = request.Query["details"] == "true" ? _shown.WithDetails(call, state) : _shown.Of(call, state),
            }),
            { Error: 404 } => answer.Refuse(RestException.NotFound(path)),
            _ => answer.Refuse(RestException.Internal),
        };
    }

    private Task List(HttpRequest request, Answer answer)
    {
        try
        {
            return _list.Page(ListQuery.Of(request.Query)) is { } page ? answer.Write(page) : answer.Refuse(RestException.Internal);
        }
        catch (FormatException wrong)
        {
            return answer.Refuse(RestException.Invalid(wrong.Message));
        }
    }

    /// <summary>Ctrl-C belongs to the command, which stops this in its own order; tests run many of these in one process.</summary>
    private sealed class OursAlone : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
