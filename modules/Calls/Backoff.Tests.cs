namespace CallOrchestration.Calls.Tests;

public sealed class BackoffTests
{
    [Fact]
    public void The_wait_doubles_and_ends_at_half_a_second_however_long_the_database_is_away()
    {
        for (var failures = 1; failures <= 10_000; failures++)
        {
            var full = Math.Min(50 * Math.Pow(2, failures - 1), 500);
            Backoff.After(failures).TotalMilliseconds.ShouldBeInRange(full / 2, full);
        }
    }
}
