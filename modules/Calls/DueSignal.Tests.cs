namespace CallOrchestration.Calls.Tests;

public sealed class DueSignalTests : IDisposable
{
    private static readonly DateTime Due = new(2027, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    private readonly DueSignal signal = new();

    public void Dispose() => signal.Dispose();

    [Fact]
    public async Task A_sleep_ends_when_its_time_is_over_and_so_does_the_next()
    {
        signal.Listen();
        await Ended(signal.Sleep(Due, TimeSpan.FromMilliseconds(1), Cancellation));
        await Ended(signal.Sleep(Due, TimeSpan.FromMilliseconds(1), Cancellation));
    }

    [Fact]
    public async Task A_sleep_ends_with_the_signal()
    {
        signal.Listen();
        var sleep = signal.Sleep(Due, Long, Cancellation);

        signal.Dispose();
        await Ended(sleep);
        await Ended(signal.Sleep(Due, Long, Cancellation));
    }

    [Fact]
    public async Task A_sleep_ends_by_a_nudge_for_something_earlier()
    {
        signal.Listen();
        var sleep = signal.Sleep(Due, Long, Cancellation);

        signal.Nudge(Due.AddTicks(-1));
        await Ended(sleep);
    }

    [Fact]
    public async Task A_nudge_before_the_sleep_is_not_lost()
    {
        signal.Listen();
        signal.Nudge(DateTime.MaxValue.AddTicks(-1));

        await Ended(signal.Sleep(Due, Long, Cancellation));
    }

    [Fact]
    public void What_was_made_due_earliest_is_told_once()
    {
        signal.Listen().ShouldBeNull();
        signal.Nudge(Due);
        signal.Nudge(Due.AddHours(-1));
        signal.Nudge(Due.AddHours(1));
        signal.Nudge(null);

        signal.Listen().ShouldBe(Due.AddHours(-1));
        signal.Listen().ShouldBeNull();
    }

    [Fact]
    public async Task A_sleep_ends_when_it_is_cancelled()
    {
        using var cancelled = new CancellationTokenSource();
        signal.Listen();
        var sleep = signal.Sleep(Due, Long, cancelled.Token);

        await cancelled.CancelAsync();
        await Ended(sleep);
        await Ended(signal.Sleep(Due, Long, cancelled.Token));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // By far longer than it takes: a sleep that does not end fails, and does not hang.
    private static Task Ended(Task sleep) => sleep.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
}
