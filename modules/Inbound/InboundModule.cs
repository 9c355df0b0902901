using Microsoft.AspNetCore.Routing;

namespace CallOrchestration.Inbound;

/// <summary>What the module Inbound holds: the webhook by which the provider tells of calls that come in.</summary>
public static class InboundModule
{
    /// <summary>Maps <c>/webhooks/inbound</c>.</summary>
    public static void MapInbound(this IEndpointRouteBuilder routes) => ReceiveInboundCall.Map(routes);
}
