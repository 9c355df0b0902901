using System.Net;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

public sealed class AuthenticationTests(TestHost host) : IClassFixture<TestHost>
{
    public static TheoryData<string, string> Routes() => new()
    {
        { "GET", "/api/calls" },
        { "POST", "/api/calls" },
        { "POST", "/api/calls/outbound" },
        { "GET", "/api/calls/summary" },
        { "GET", "/api/calls/019b0000-0000-7000-8000-000000000001" },
        { "GET", "/api/calls/not-a-uuid" },
        { "PATCH", "/api/calls/019b0000-0000-7000-8000-000000000001" },
    };

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task Without_a_valid_key_every_route_of_the_API_is_401_and_nothing_else_is_told(string method, string route)
    {
        var acme = await host.AddOrganization();
        foreach (var header in new[]
        {
            null, "", "Bearer", "Bearer ", "Bearer wrong", $"Bearer {acme.WebhookToken}", $"Basic {acme.ApiKey}", acme.ApiKey, $"Bearer {acme.ApiKey}x",
            $"Bearer {acme.ApiKey.ToUpperInvariant()}", $"Bearer {acme.Id}", "Bearer \u007f'; drop table calls --",
        })
        {
            // Even a request that is wrong besides, or too large.
            var answer = await host.ChangesNothing(() => Send(method, route, header));
            answer.ShouldBeProblem(HttpStatusCode.Unauthorized);
            answer.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
            answer.Text.ShouldNotContain(acme.ApiKey);
        }

        (await Send(method, route, $"bearer  {acme.ApiKey} ")).Status.ShouldNotBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_key_in_the_query_is_no_key()
    {
        var acme = await host.AddOrganization();
        (await Send("GET", $"/api/calls?token={acme.WebhookToken}", null)).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await Send("GET", $"/api/calls?token={acme.ApiKey}", null)).ShouldBeProblem(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task An_API_key_is_no_webhook_token_and_a_webhook_without_a_token_stores_nothing()
    {
        var acme = await host.AddOrganization();
        foreach (var token in new[] { "", $"token={acme.ApiKey}&", "token=wrong&", "token=&", $"token={acme.WebhookToken}x&", $"token={acme.WebhookToken}&token=wrong&" })
        {
            foreach (var route in new[] { "/webhooks/inbound", "/webhooks/provider-event" })
            {
                (await host.ChangesNothing(() => acme.Get($"{route}?{token}CallSid=sid&CallFrom=09900000001&CallTo=08047110000&Status=completed")))
                    .ShouldBeProblem(HttpStatusCode.Unauthorized);
            }
        }
    }

    [Fact]
    public async Task A_key_that_was_rotated_is_refused_and_the_new_one_is_the_same_organizations()
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);

        var key = await Organizations.RotateKey(connection, acme.Id);

        (await acme.Read(id)).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await Send("GET", $"/api/calls/{id}", $"Bearer {key}")).ShouldBeOk();
        (await acme.Passthru(("CallSid", "sid"))).ShouldBeOk();
    }

    [Fact]
    public async Task Health_and_the_API_document_need_no_key()
    {
        foreach (var route in new[] { "/health/live", "/health/ready", "/openapi/v1.json", "/swagger/index.html" })
            (await Send("GET", route, null)).ShouldBeOk();
    }

    private async Task<Answer> Send(string method, string route, string? authorization)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(host.Url, route));
        if (method is "POST" or "PATCH") request.Content = Acme.Json("{}");
        if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return await Http.Send(request);
    }
}
