using Microsoft.AspNetCore.Routing;

namespace CallOrchestration.ProviderEvents;

/// <summary>What the module ProviderEvents holds: the webhook by which the provider tells what becomes of our calls.</summary>
public static class ProviderEventsModule
{
    /// <summary>Maps <c>/webhooks/provider-event</c>.</summary>
    public static void MapProviderEvents(this IEndpointRouteBuilder routes) => ReceiveProviderEvent.Map(routes);
}
