using System.Collections.Concurrent;
using CallOrchestration.Outbound;

namespace CallOrchestration.Tests;

/// <summary>
/// The provider's side of a dial, for tests: remembers every dial, accepts it, or does what the test says. It is the witness that is not
/// the database.
/// </summary>
internal sealed class TestDialer : IDialer
{
    private readonly ConcurrentQueue<DialRequest> dials = new();
    private readonly ConcurrentDictionary<(Guid, int), TaskCompletionSource<DialResult>> held = new();
    private (int Count, TaskCompletionSource Reached) awaited = (int.MaxValue, new());

    /// <summary>What a dial is answered with, at once.</summary>
    public Func<DialRequest, DialResult> Answer { get; set; } = request => new DialResult.Accepted(Sid(request.CallId, request.Attempt));

    /// <summary>While true, a dial stays without an answer until <see cref="Release"/>.</summary>
    public bool Holds { get; set; }

    /// <summary>What the provider says of an attempt; null: it keeps no record.</summary>
    public Func<LookUpRequest, Task<LookUpResult>>? Record { get; init; }

    public bool KeepsRecord => Record is not null;

    public IReadOnlyCollection<DialRequest> Dials => dials;

    /// <summary>The CallSid that this dialler gives to an attempt.</summary>
    public static string Sid(Guid callId, int attempt) => $"{callId:N}"[..31] + attempt;

    public async Task<DialResult> Dial(DialRequest request, CancellationToken cancellation)
    {
        dials.Enqueue(request);
        Look();
        return Holds ? await Held(request.CallId, request.Attempt).Task.WaitAsync(cancellation) : Answer(request);
    }

    public Task<LookUpResult> LookUp(LookUpRequest request, CancellationToken cancellation) => Record!(request).WaitAsync(cancellation);

    public void Release(Guid callId, int attempt, DialResult? result = null) =>
        Held(callId, attempt).SetResult(result ?? new DialResult.Accepted(Sid(callId, attempt)));

    /// <summary>How long <see cref="Made"/> waits before it fails.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Ends when so many dials were made, in all.</summary>
    public Task Made(int count)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (dials) awaited = (count, reached);
        Look();
        return reached.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    private void Look()
    {
        lock (dials)
        {
            if (dials.Count >= awaited.Count) awaited.Reached.TrySetResult();
        }
    }

    private TaskCompletionSource<DialResult> Held(Guid callId, int attempt) =>
        held.GetOrAdd((callId, attempt), _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
