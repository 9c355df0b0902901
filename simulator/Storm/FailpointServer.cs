using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// Where hosts ask at each failpoint whether they may go on (<c>POST /host/failpoint</c>). 204 lets them; 500 has them throw; and while
/// they wait, anything can be done to them.
/// </summary>
internal sealed class FailpointServer : IAsyncDisposable
{
    private readonly WebApplication web;
    private readonly Func<int, string, Task<bool>> strike;

    private FailpointServer(Func<int, string, Task<bool>> strike)
    {
        this.strike = strike;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        web = builder.Build();
        web.Run(Handle);
    }

    public Uri Address { get; private set; } = null!;

    /// <param name="strike">Host and failpoint. Ends when the host may go on; false has it throw.</param>
    public static async Task<FailpointServer> Start(Func<int, string, Task<bool>> strike)
    {
        var server = new FailpointServer(strike);
        await server.web.StartAsync();
        server.Address = new(server.web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever still waits here was killed, or will be.
        using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await web.StopAsync(now.Token);
        await web.DisposeAsync();
    }

    private async Task Handle(HttpContext context)
    {
        if ((context.Request.Path.Value ?? "").Split('/') is not ["", var host, var failpoint] || !int.TryParse(host, out var number))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.StatusCode = await strike(number, failpoint) ? StatusCodes.Status204NoContent : StatusCodes.Status500InternalServerError;
    }
}
