using System.Net;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

/// <summary>Idempotency-Key, on both POSTs of calls.</summary>
public sealed class InsertCallTests(TestHost host) : IClassFixture<TestHost>
{
    private static readonly object Request = new { from = Acme.Phone, to = Acme.Customer };

    [Theory]
    [InlineData("/api/calls", null)]
    [InlineData("/api/calls", "2099-01-01T09:00:00.1234567Z")]
    [InlineData("/api/calls/outbound", null)]
    [InlineData("/api/calls/outbound", "2099-01-01T14:30:00+05:30")]
    public async Task A_repeated_request_is_answered_as_the_first_time_to_the_byte_and_makes_no_second_call(string route, string? at)
    {
        var acme = await host.AddOrganization();
        var request = new { from = Acme.Phone, to = Acme.Customer, next_action_at = at, metadata = new { order = 7, note = "é <&>" } };

        var first = await acme.Post(route, request, ("Idempotency-Key", "k"));
        first.Headers.Contains("Idempotency-Replayed").ShouldBeFalse();
        // The call moves on meanwhile.
        (await acme.Patch(first.Id, new { status = "COMPLETED", outcome = "canceled", metadata = new { order = 8 } })).ShouldBeOk();
        var again = await host.ChangesNothing(() => acme.Post(route, request, ("Idempotency-Key", "k")));

        again.Status.ShouldBe(HttpStatusCode.Created);
        again.Headers.GetValues("Idempotency-Replayed").ShouldBe(["true"]);
        again.Text.ShouldBe(first.Text);
        again.Headers.Location.ShouldBe(first.Headers.Location);
        again.Headers.ETag.ShouldBe(first.Headers.ETag);
    }

    [Fact]
    public async Task The_same_request_spaced_and_ordered_otherwise_is_the_same()
    {
        var acme = await host.AddOrganization();
        var first = await acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}"}""", ("Idempotency-Key", "k"));

        var again = await acme.Post("/api/calls", $$"""{ "to": "{{Acme.Customer}}", "from": "{{Acme.Phone}}" }""", ("Idempotency-Key", "k"));

        again.Text.ShouldBe(first.Text);
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_422()
    {
        var acme = await host.AddOrganization();
        await acme.Post("/api/calls", Request, ("Idempotency-Key", "k"));

        foreach (var other in new object[]
        {
            new { from = Acme.Phone, to = "+919900000002" },
            new { from = Acme.Phone, to = Acme.Customer, metadata = new { } },
            new { from = Acme.Phone, to = Acme.Customer, next_action_at = "2099-01-01T09:00:00Z" },
            new { from = Acme.Phone, to = Acme.Customer, direction = "INBOUND" },
        })
        {
            (await host.ChangesNothing(() => acme.Post("/api/calls", other, ("Idempotency-Key", "k")))).ShouldBeProblem(HttpStatusCode.UnprocessableEntity);
        }

        (await host.ChangesNothing(() => acme.Post("/api/calls/outbound", Request, ("Idempotency-Key", "k")))).ShouldBeProblem(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task Twenty_at_once_make_one_call_and_get_one_answer()
    {
        var acme = await host.AddOrganization();

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => acme.Post("/api/calls/outbound", Request, ("Idempotency-Key", "k"))));

        answers.ShouldAllBe(answer => answer.Status == HttpStatusCode.Created);
        answers.Select(answer => answer.Text).Distinct().Count().ShouldBe(1);
        answers.Count(answer => answer.Headers.Contains("Idempotency-Replayed")).ShouldBe(19);
        (await acme.Get("/api/calls")).Body["items"]!.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_key_is_the_organizations_own()
    {
        var acme = await host.AddOrganization();
        var globex = await host.AddOrganization("Globex");

        var one = await acme.Post("/api/calls", Request, ("Idempotency-Key", "k"));
        var other = await globex.Post("/api/calls", Request, ("Idempotency-Key", "k"));

        other.Status.ShouldBe(HttpStatusCode.Created);
        other.Headers.Contains("Idempotency-Replayed").ShouldBeFalse();
        other.Id.ShouldNotBe(one.Id);
    }

    [Fact]
    public async Task Without_a_key_every_request_makes_a_call_and_so_does_another_key()
    {
        var acme = await host.AddOrganization();
        await acme.Post("/api/calls", Request);
        await acme.Post("/api/calls", Request);
        await acme.Post("/api/calls", Request, ("Idempotency-Key", "k"));
        await acme.Post("/api/calls", Request, ("Idempotency-Key", "K"));
        (await acme.Get("/api/calls")).Body["items"]!.AsArray().Count.ShouldBe(4);
    }

    [Fact]
    public async Task A_request_that_was_refused_leaves_its_key_free()
    {
        var acme = await host.AddOrganization();
        (await acme.Post("/api/calls", new { from = "1", to = Acme.Customer }, ("Idempotency-Key", "k"))).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await acme.Post("/api/calls", Request, ("Idempotency-Key", "k"))).Status.ShouldBe(HttpStatusCode.Created);
    }

    [Fact]
    public async Task A_key_has_1_to_255_characters()
    {
        var acme = await host.AddOrganization();
        (await acme.Post("/api/calls", Request, ("Idempotency-Key", new string('k', 255)))).Status.ShouldBe(HttpStatusCode.Created);

        foreach (var key in new[] { "", new string('k', 256) })
        {
            (await host.ChangesNothing(() => acme.Post("/api/calls", Request, ("Idempotency-Key", key))))
                .ShouldBeProblem(HttpStatusCode.BadRequest, "Idempotency-Key");
        }
    }
}
