using System.Text.Json.Nodes;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

public sealed class SummarizeCallsTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task An_organization_without_calls_has_a_summary_of_zeros()
    {
        var acme = await host.AddOrganization();

        var summary = (await acme.Get("/api/calls/summary")).ShouldBeOk().Body;

        ((int)summary["total"]!).ShouldBe(0);
        Counts(summary["by_status"]!).ShouldBe(CallStatus.All.ToDictionary(status => status, _ => 0));
        Counts(summary["by_outcome"]!).ShouldBe(CallOutcome.All.ToDictionary(outcome => outcome, _ => 0));
        ((int)summary["due_now"]!).ShouldBe(0);
        ((double)summary["latest_by_seconds"]!).ShouldBe(0);
        ((int)summary["retries_waiting"]!).ShouldBe(0);
        summary["next_due_at"].ShouldBeNull();
        summary["oldest_in_progress_at"].ShouldBeNull();
    }

    [Fact]
    public async Task The_summary_counts_what_the_organization_has_and_nobody_elses()
    {
        var acme = await host.AddOrganization();
        var globex = await host.AddOrganization("Globex");
        await globex.CreateOutbound();
        await globex.CreateOutbound(at: DateTimeOffset.UtcNow.AddMinutes(1));
        // First what is dialled, since a round of the scheduler takes whatever is due.
        var (oldest, _) = await acme.Dialled("+919900000001");
        await acme.Dialled("+919900000002");
        var (busy, busySid) = await acme.Dialled("+919900000003");
        var (rangOut, rangOutSid) = await acme.Dialled("+919900000004");
        (await acme.Event(("CallSid", busySid!), ("Status", "busy"))).ShouldBeOk();
        (await acme.Event(("CallSid", rangOutSid!), ("Status", "no-answer"))).ShouldBeOk();
        await acme.Patch(await acme.CreateOutbound(), new { status = "COMPLETED" });
        await acme.Patch(await acme.CreateOutbound(), new { status = "COMPLETED" });
        var asOf = (DateTimeOffset)(await acme.Get("/api/calls/summary")).Body["as_of"]!;
        await acme.CreateOutbound(at: asOf.AddMinutes(-10));
        await acme.CreateOutbound(at: asOf.AddMinutes(-1));
        await acme.CreateOutbound(at: asOf.AddMinutes(1));
        await acme.CreateOutbound(at: asOf.AddHours(1));
        await acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer });

        var summary = (await acme.Get("/api/calls/summary")).ShouldBeOk().Body;

        ((int)summary["total"]!).ShouldBe(11);
        Counts(summary["by_status"]!).ShouldBe(new Dictionary<string, int> { ["PENDING"] = 6, ["IN_PROGRESS"] = 2, ["COMPLETED"] = 3 });
        Counts(summary["by_outcome"]!).ShouldBe(new Dictionary<string, int>
        {
            ["completed"] = 0, ["no-answer"] = 0, ["busy"] = 1, ["failed"] = 0, ["canceled"] = 2, ["unknown"] = 0,
        });
        ((int)summary["due_now"]!).ShouldBe(2);
        ((double)summary["latest_by_seconds"]!).ShouldBeInRange(600, 660);
        ((DateTimeOffset)summary["next_due_at"]!).ShouldBe(asOf.AddMinutes(1));
        ((string)summary["oldest_in_progress_at"]!).ShouldBe((string)(await acme.Read(oldest)).Body["started_at"]!);
        ((int)summary["retries_waiting"]!).ShouldBe(1);
        (await acme.Read(rangOut)).CallStatus.ShouldBe(CallStatus.Pending);
        (await acme.Read(busy)).Outcome.ShouldBe("busy");
    }

    private static Dictionary<string, int> Counts(JsonNode counts) => counts.AsObject().ToDictionary(count => count.Key, count => (int)count.Value!);
}
