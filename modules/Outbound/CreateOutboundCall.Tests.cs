using System.Net;
using CallOrchestration.Tests;

namespace CallOrchestration.Outbound.Tests;

public sealed class CreateOutboundCallTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task A_call_without_a_time_is_due_at_once()
    {
        var acme = await host.AddOrganization();

        var created = await acme.Post("/api/calls/outbound", new { from = Acme.Phone, to = Acme.Customer });

        created.Status.ShouldBe(HttpStatusCode.Created);
        created.CallStatus.ShouldBe(CallStatus.Pending);
        ((string?)created.Body["next_action_at"]).ShouldBe((string?)created.Body["created_at"]);
        (await host.Trigger()).ShouldBe(1);
        (await acme.Read(created.Id)).CallStatus.ShouldBe(CallStatus.InProgress);
    }
}
