using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Outbound;

/// <summary>What the module Outbound holds: calls that the organization places, and the dialler that places them.</summary>
public static class OutboundModule
{
    /// <summary>Adds the dialler that the setting <c>Dialer__Provider</c> names.</summary>
    /// <exception cref="SettingException">A setting makes no sense.</exception>
    public static void AddOutbound(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = Settings.Of(builder);
        var fake = FakeDialer.From(settings);
        // Read in either case: an account may be configured before it is switched on.
        foreach (var name in ExotelSettings.Names) settings.Text(name);
        if (settings.Choice("Dialer:Provider", "Fake", "Fake", "Exotel") == "Exotel")
        {
            builder.Services.AddSingleton(ExotelSettings.From(settings));
            builder.Services.AddSingleton<ExotelClient>();
            builder.Services.TryAddSingleton<IDialer, ExotelDialer>();
        }
        else
        {
            builder.Services.TryAddSingleton<IDialer>(fake);
        }

        builder.Services.AddSingleton<DialCalls>();
        builder.Services.AddSingleton<DialNow>(services => call => services.GetRequiredService<DialCalls>().Start([call]));
        builder.Services.AddHostedService(services => services.GetRequiredService<DialCalls>());
    }

    /// <summary>Maps <c>/api/calls/outbound</c>.</summary>
    public static void MapOutbound(this IEndpointRouteBuilder routes)
    {
        var calls = routes.MapGroup("/api/calls").RequireAuthorization(Schemes.ApiKey).WithTags("Calls");
        CreateOutboundCall.Map(calls);
    }
}
