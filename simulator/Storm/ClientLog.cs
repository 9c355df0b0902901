using System.Collections.Concurrent;

namespace CallOrchestration.Simulator.Storm;

/// <summary>One request of the client about a call, and what came of it. <c>Status</c> is null where no answer arrived: then nobody knows what it did.</summary>
internal sealed record Asked(string What, DateTimeOffset SentAt, DateTimeOffset AnsweredAt, int? Status)
{
    /// <summary>There was no connection, so nothing has left.</summary>
    public bool NeverSent { get; init; }

    /// <summary>The call in the answer.</summary>
    public Guid? CallId { get; init; }

    /// <summary>The time that a creation or a move asked for.</summary>
    public DateTimeOffset? DueAt { get; init; }
}

/// <summary>One delivery of an applet's step.</summary>
internal sealed record StepTold(string DeliveryId, string Step, bool IsEnd, DateTimeOffset SentAt, DateTimeOffset AnsweredAt, int? Status, Guid? CallId);

/// <summary>What the client knows of one call: all that it asked and was told.</summary>
internal sealed class ClientCall(PlannedCall plan)
{
    private readonly ConcurrentQueue<Asked> asked = [];
    private readonly ConcurrentQueue<StepTold> told = [];

    public PlannedCall Plan { get; } = plan;

    /// <summary>Of an inbound call, once it has begun.</summary>
    public string? CallSid { get; set; }

    public IReadOnlyCollection<Asked> AskedOf => asked;

    public IReadOnlyCollection<StepTold> Told => told;

    /// <summary>Every id under which a creation was answered; one, if all is well.</summary>
    public IReadOnlyList<Guid> Ids => [.. asked.Where(ask => ask is { What: "create", Status: 201 }).Select(ask => ask.CallId!.Value).Distinct()];

    public void Note(Asked ask) => asked.Enqueue(ask);

    public void Note(StepTold step) => told.Enqueue(step);
}
