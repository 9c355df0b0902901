using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Simulator.Storm;

/// <summary>
/// The organizations' own programs, and the people who call in: creates the calls of a plan, cancels, moves and dials them, and looks at
/// others' calls, which must stay hidden. Where no answer comes it asks again only if that cannot make a second call.
/// </summary>
internal sealed class StormClient(
    StormPlan plan, IReadOnlyList<StormHost> hosts, IReadOnlyList<StormOrganization> organizations, Strikes strikes, DateTimeOffset began) : IDisposable
{
    private const int IntruderShare = 4;
    private const int LongUrl = 950;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LongestRepeat = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan BetweenRepeats = TimeSpan.FromMilliseconds(250);

    // As long as a signature, and none of ours.
    private const string Forged = "Zm9yZ2VkIGJ5IHNvbWVib2R5IHdobyBndWVzc2VzLi4";

    private readonly HttpClient http = new(new Balancer(hosts)) { Timeout = Patience, BaseAddress = new("http://hosts.invalid/") };

    private readonly System.Collections.Concurrent.ConcurrentQueue<ClientCall> calls = [];

    /// <summary>Every call that was begun.</summary>
    public IReadOnlyCollection<ClientCall> Calls => calls;

    /// <summary>Where a stranger got at a call: what was asked, and the answer.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Intrusions { get; } = [];

    public void Dispose() => http.Dispose();

    /// <summary>Plays each call at its time, up to where the client has nothing more to do.</summary>
    public Task Play(IEnumerable<PlannedCall> planned, CancellationToken cancellation) => Task.WhenAll(planned.Select(async plan =>
    {
        await Until(plan.CreatedAt, cancellation);
        var call = Begin(plan);
        await (plan.IsOutbound ? Outbound(call, cancellation) : Inbound(call, cancellation));
    }));

    /// <summary>One call by each host that is up: created there, and dialled by it and no other.</summary>
    public Task Probe(CancellationToken cancellation) => Task.WhenAll(plan.Drawn
        .Where(probe => probe.Kind == CallKind.Probe && hosts[probe.Door].State == HostState.Up)
        .Select(async probe =>
        {
            var call = Begin(probe);
            await Create(call, cancellation);
            if (call.Ids is [var id, ..]) await Act(call, id, "dial", new { status = "IN_PROGRESS" }, null, cancellation);
        }));

    private ClientCall Begin(PlannedCall planned)
    {
        var call = new ClientCall(planned);
        calls.Enqueue(call);
        return call;
    }

    private async Task Outbound(ClientCall call, CancellationToken cancellation)
    {
        await Create(call, cancellation);
        if (call.Ids is not [var id, ..]) return;
        if (call.Plan.Number % IntruderShare == 0) await Intrude(call, id, cancellation);
        if (call.Plan.Kind is not (CallKind.Cancelled or CallKind.Moved or CallKind.Held)) return;

        await Until(call.Plan.ActsAt, cancellation);
        await (call.Plan.Kind switch
        {
            CallKind.Cancelled => Act(call, id, "cancel", new { status = "COMPLETED", outcome = "canceled" }, null, cancellation),
            CallKind.Moved => Act(call, id, "move", new { next_action_at = began + call.Plan.MovedTo }, began + call.Plan.MovedTo, cancellation),
            _ => Act(call, id, "dial", new { status = "IN_PROGRESS" }, null, cancellation),
        });
    }

    private async Task Create(ClientCall call, CancellationToken cancellation)
    {
        var organization = organizations[call.Plan.Organization];
        DateTimeOffset? due = call.Plan.Kind is CallKind.Now or CallKind.Held or CallKind.Probe ? null : began + call.Plan.DueAt;
        var route = call.Plan.IsHeld ? "api/calls" : "api/calls/outbound";
        var body = new JsonObject
        {
            ["from"] = organization.Phone,
            ["to"] = call.Plan.Customer,
            ["metadata"] = new JsonObject { ["storm"] = plan.Seed, ["number"] = call.Plan.Number },
        };
        if (due is not null) body["next_action_at"] = due.Value.UtcDateTime.ToString("O");
        // Wide rows: a claim of many of them is more than the server sends in one go.
        if (call.Plan.Kind == CallKind.Burst) body["connect"] = new JsonObject { ["flow_url"] = $"http://my.exotel.example/{new string('s', LongUrl)}" };
        var text = body.ToJsonString();
        if (call.Plan.Requests == 0)
        {
            // Without a key a second request would be a second call: whoever gets no answer can only wait and see.
            await Repeat(_ => Ask("create", HttpMethod.Post, route, text, organization, null, due, null, cancellation), call, asked => asked.NeverSent, cancellation);
            return;
        }

        var key = $"storm-{plan.Seed}-{call.Plan.Number}";
        await Task.WhenAll(Enumerable.Range(0, call.Plan.Requests).Select(request => Repeat(
            again => Ask("create", HttpMethod.Post, route, text, organization, key, due, DoorOf(call) ?? (again ? null : request), cancellation), call, IsOpen, cancellation)));
    }

    private Task Act(ClientCall call, Guid id, string what, object change, DateTimeOffset? due, CancellationToken cancellation) =>
        Repeat(
            _ => Ask(what, HttpMethod.Patch, $"api/calls/{id}", JsonSerializer.Serialize(change), organizations[call.Plan.Organization], null, due, DoorOf(call), cancellation),
            call,
            IsOpen,
            cancellation);

    private static int? DoorOf(ClientCall call) => call.Plan.Kind == CallKind.Probe ? call.Plan.Door : null;

    // Nobody knows what it did, and to ask again does no harm.
    private static bool IsOpen(Asked asked) => asked.Status is null or >= 500;

    private static async Task Repeat(Func<bool, Task<Asked>> ask, ClientCall call, Func<Asked, bool> repeats, CancellationToken cancellation)
    {
        var start = DateTimeOffset.UtcNow;
        for (var again = false; ; again = true)
        {
            var asked = await ask(again);
            call.Note(asked);
            if (!repeats(asked) || DateTimeOffset.UtcNow - start > LongestRepeat) return;
            await Task.Delay(BetweenRepeats, cancellation);
        }
    }

    private async Task<Asked> Ask(
        string what, HttpMethod method, string route, string? body, StormOrganization organization, string? key, DateTimeOffset? due, int? door,
        CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, route) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", organization.ApiKey) } };
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, method == HttpMethod.Patch ? "application/merge-patch+json" : "application/json");
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        if (door is not null) request.Options.Set(Copy.DoorKey, door.Value);
        var sent = DateTimeOffset.UtcNow;
        try
        {
            using var answer = await http.SendAsync(request, cancellation);
            var text = await answer.Content.ReadAsStringAsync(cancellation);
            var asked = new Asked(what, sent, DateTimeOffset.UtcNow, (int)answer.StatusCode) { DueAt = due };
            return answer.IsSuccessStatusCode && JsonNode.Parse(text)?["id"] is { } id ? asked with { CallId = Guid.Parse((string)id!) } : asked;
        }
        catch (Exception silent) when (silent is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            var neverSent = silent is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };
            return new(what, sent, DateTimeOffset.UtcNow, null) { DueAt = due, NeverSent = neverSent };
        }
    }

    // Everything that another organization, or anybody, can try with the id of a call.
    private async Task Intrude(ClientCall call, Guid id, CancellationToken cancellation)
    {
        var stranger = organizations[(call.Plan.Organization + 1) % organizations.Count];
        var mark = JsonSerializer.Serialize(new { metadata = new { intruder = true } });
        foreach (var asked in new[]
        {
            await Ask("read", HttpMethod.Get, $"api/calls/{id}", null, stranger, null, null, null, cancellation),
            await Ask("change", HttpMethod.Patch, $"api/calls/{id}", mark, stranger, null, null, null, cancellation),
            await Ask("end", HttpMethod.Post, $"webhooks/provider-event?token={stranger.WebhookToken}&call={id}&attempt=1&Status=failed&intruder=1", null, stranger, null, null, null, cancellation),
            await Ask("forged callback", HttpMethod.Post, $"webhooks/provider-event?call={id}&attempt=1&signature={Forged}&Status=failed&intruder=1", null, stranger, null, null, null, cancellation),
        })
        {
            if (asked.Status is < 400) Intrusions.Enqueue($"{asked.What} of call {id} by a stranger answered {asked.Status}");
        }
    }

    private async Task Inbound(ClientCall call, CancellationToken cancellation)
    {
        var organization = organizations[call.Plan.Organization];
        var story = new InboundStory(call.Plan.Customer, organization.Phone, call.Plan.InboundEnding, StormTimes.Speed, _ => { });
        call.CallSid = story.CallSid;
        var steps = story.Steps();
        var number = 0;
        foreach (var (place, (name, seconds, payload)) in steps.Index())
        {
            await Task.Delay(TimeSpan.FromSeconds(seconds / StormTimes.Speed), cancellation);
            var fate = place == 0 ? call.Plan.FirstStep : place == steps.Length - 1 ? call.Plan.LastStep : Fate.Plain;
            if (fate != Fate.Plain) strikes.Provide($"applet {PlannedCall.Words(fate)}");
            int?[] doors = fate switch { Fate.Dropped => [], Fate.Twins => [0, hosts.Count - 1], _ => [null] };
            await Task.WhenAll(doors.Select(async door =>
                call.Note(await Step(organization, payload(), $"{story.CallSid}-{Interlocked.Increment(ref number)}", name, place == steps.Length - 1, door, cancellation))));
        }
    }

    // Asked once: the caller waits on the line.
    private async Task<StepTold> Step(
        StormOrganization organization, Payload payload, string delivery, string name, bool ends, int? door, CancellationToken cancellation)
    {
        var marked = new Payload([("DeliveryId", delivery), .. payload.Fields]);
        using var request = ExotelRequest.To($"http://hosts.invalid/webhooks/inbound?token={organization.WebhookToken}", marked, Wire.Query);
        if (door is not null) request.Options.Set(Copy.DoorKey, door.Value);
        var sent = DateTimeOffset.UtcNow;
        try
        {
            using var answer = await http.SendAsync(request, cancellation);
            var text = await answer.Content.ReadAsStringAsync(cancellation);
            Guid? id = answer.IsSuccessStatusCode && JsonNode.Parse(text)?["call_id"] is { } call ? Guid.Parse((string)call!) : null;
            return new(delivery, name, ends, sent, DateTimeOffset.UtcNow, (int)answer.StatusCode, id);
        }
        catch (Exception silent) when (silent is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return new(delivery, name, ends, sent, DateTimeOffset.UtcNow, null, null);
        }
    }

    private async Task Until(TimeSpan time, CancellationToken cancellation)
    {
        var wait = began + time - DateTimeOffset.UtcNow;
        if (wait > TimeSpan.Zero) await Task.Delay(wait, cancellation);
    }
}
