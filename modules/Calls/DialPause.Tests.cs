namespace CallOrchestration.Calls.Tests;

public sealed class DialPauseTests
{
    private readonly Clock clock = new();

    [Fact]
    public void Five_failures_in_a_row_pause_dialling_and_it_goes_on_by_itself()
    {
        var pause = new DialPause(clock, DialPause.Standard);
        for (var failure = 1; failure < DialPause.FailuresToPause; failure++) pause.Fails("500", null);
        pause.Now.ShouldBeNull();

        pause.Fails("503", null);

        (pause.Room, pause.Now!.Value.Reason).ShouldBe((0, "503"));
        clock.Pass(TimeSpan.FromSeconds(30));
        (pause.Room, pause.Now).ShouldBe((1, null), "one to try");
        pause.Works();
        pause.Room.ShouldBe(int.MaxValue);
    }

    [Fact]
    public void A_probe_that_fails_pauses_again()
    {
        var pause = new DialPause(clock, DialPause.Standard);
        for (var failure = 0; failure < DialPause.FailuresToPause; failure++) pause.Fails("500", null);
        clock.Pass(TimeSpan.FromSeconds(30));

        pause.Fails("500", null);

        pause.Room.ShouldBe(0);
    }

    [Fact]
    public void A_success_in_between_starts_the_count_again()
    {
        var pause = new DialPause(clock, DialPause.Standard);
        for (var failure = 0; failure < 20; failure++)
        {
            pause.Fails("500", null);
            if (failure % 4 == 3) pause.Works();
        }

        pause.Room.ShouldBe(int.MaxValue);
    }

    [Theory]
    [InlineData(1, 30)]
    [InlineData(60, 60)]
    [InlineData(3600, 300)]
    public void The_pause_is_as_long_as_the_provider_asks_within_bounds(int asked, int seconds)
    {
        var pause = new DialPause(clock, DialPause.Standard);
        for (var failure = 0; failure < DialPause.FailuresToPause; failure++) pause.Fails("429", TimeSpan.FromSeconds(asked));

        (pause.Now!.Value.Until - clock.GetUtcNow()).ShouldBe(TimeSpan.FromSeconds(seconds));
    }

    private sealed class Clock : TimeProvider
    {
        private DateTimeOffset now = new(2027, 1, 1, 9, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => now;

        public void Pass(TimeSpan time) => now += time;
    }
}
