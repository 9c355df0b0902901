using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Host;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>When a call is dialled, and when it is not.</summary>
internal static class ScheduleScenarios
{
    // All scenarios begin at once, on a host that may just have started: what changes a call before it is due must get there first.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(6);

    /// <summary>Due some seconds from now, and not dialled before.</summary>
    public static async Task Delayed(Stage stage)
    {
        var call = await stage.Create(DateTimeOffset.UtcNow + Soon);
        await call.IsDialled();
        await call.EndsWith("completed", call.Bare("completed"));
    }

    /// <summary>Due soon, then moved away from that time: the old time passes without a dial.</summary>
    public static async Task MovedLater(Stage stage)
    {
        var due = DateTimeOffset.UtcNow + Soon;
        var call = await stage.Create(due);
        await call.MovesTo(due + TimeSpan.FromSeconds(1.5));
        stage.Note("moved later");
        await call.IsDialled();
        await call.EndsWith("completed", call.Bare("completed"));
    }

    /// <summary>Scheduled for tomorrow, and called off today.</summary>
    public static async Task Cancelled(Stage stage)
    {
        var call = await stage.Create(DateTimeOffset.UtcNow + TimeSpan.FromDays(1));
        await CallOff(stage, call);
    }

    /// <summary>Called off moments before it is due. Then its time passes, and it is still not dialled.</summary>
    public static async Task CancelledJustInTime(Stage stage)
    {
        var due = DateTimeOffset.UtcNow + Soon;
        var call = await stage.Create(due);
        await CallOff(stage, call);

        stage.Doing = "waits: its time passes";
        await Task.Delay(due + TimeSpan.FromSeconds(1.5) - DateTimeOffset.UtcNow, stage.Cancellation);
    }

    /// <summary>A call without a time waits for ever, until somebody starts it.</summary>
    public static async Task StartedByHand(Stage stage)
    {
        var request = OutboundRequest.MakeUp(stage);
        request.Body["direction"] = "OUTBOUND";
        var created = (await stage.Host.Create("api/calls", request.Body, null, stage.Cancellation)).As<CallView>(HttpStatusCode.Created);
        var call = new OutboundCall(stage, request, created);
        Stage.Holds(created.NextActionAt is null, "next_action_at null without a time given", $"{created.NextActionAt:O}");

        var started = (await call.Patch(new JsonObject { ["status"] = "IN_PROGRESS" })).As<CallView>(HttpStatusCode.OK);
        stage.Note("started by PATCH");
        Stage.Holds(started.Status == "IN_PROGRESS", "PATCH makes it IN_PROGRESS", started.Status);

        await call.IsDialled();
        await call.Answers();
        await call.Talks();
        await call.Completes();
        await call.WasClaimedBy("api");
    }

    /// <summary>A client that is unsure sends its request again and again, all at once; one person is called once.</summary>
    public static async Task SameIdempotencyKey(Stage stage)
    {
        const int Times = 8;
        var key = $"simulator-{Guid.NewGuid():N}"; // new in each run: the host keeps keys as long as their calls
        var request = OutboundRequest.MakeUp(stage);

        var replies = await Task.WhenAll(Enumerable.Range(0, Times)
            .Select(_ => stage.Host.Create("api/calls/outbound", request.Body, key, stage.Cancellation)));
        var calls = replies.Select(reply => reply.As<CallView>(HttpStatusCode.Created)).ToList();
        var call = new OutboundCall(stage, request, calls[0]);
        stage.Note($"same request ×{Times}");

        var ids = calls.Select(created => created.Id).Distinct().Count();
        Stage.Holds(ids == 1, "one call", $"{ids} calls");
        var first = replies.Count(reply => !reply.Replayed);
        Stage.Holds(first == 1, "one answer without Idempotency-Replayed", $"{first}");

        var other = await stage.Host.Create("api/calls/outbound", OutboundRequest.MakeUp(stage).Body, key, stage.Cancellation);
        stage.Note("another body");
        Stage.Holds(other.HttpStatus == HttpStatusCode.UnprocessableEntity, "422 for the same key and another body", $"{(int)other.HttpStatus}");

        await call.IsDialled();
        await call.EndsWith("completed", call.Bare("completed"));
    }

    private static async Task CallOff(Stage stage, OutboundCall call)
    {
        var answer = await call.Patch(new JsonObject { ["status"] = "COMPLETED", ["outcome"] = "canceled" });
        answer.As<CallView>(HttpStatusCode.OK);
        stage.Note("cancelled");
    }
}
