using System.Net;
using System.Net.Http.Headers;
using System.Text;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

/// <summary>Bad input: each gets its 4xx as a problem with the field's name, and the rows stay as they are.</summary>
public sealed class ProblemsTests(TestHost host) : IClassFixture<TestHost>
{
    private const string Numbers = $"\"from\":\"{Acme.Phone}\",\"to\":\"{Acme.Customer}\"";

    [Theory]
    [InlineData("{}", "from", "to")]
    [InlineData("{" + Numbers + ",\"colour\":\"red\"}", "colour")]
    [InlineData("{" + Numbers + ",\"From\":\"+918047110000\"}", "From")]
    [InlineData("{" + Numbers + ",\"status\":\"COMPLETED\"}", "status")]
    [InlineData("{" + Numbers + ",\"organization_id\":\"019b0000-0000-7000-8000-000000000001\"}", "organization_id")]
    [InlineData("{" + Numbers + ",\"to\":\"+919900000001\"}", "to")]
    [InlineData("{\"from\":919900000001,\"to\":\"+919900000001\"}", "from")]
    [InlineData("{\"from\":[\"+918047110000\"],\"to\":\"+919900000001\"}", "from")]
    [InlineData("{\"from\":\"\\ud800\",\"to\":\"+919900000001\"}", "from")]
    [InlineData("{" + Numbers + ",\"next_action_at\":1798794000}", "next_action_at")]
    [InlineData("{" + Numbers + ",\"next_action_at\":{}}", "next_action_at")]
    [InlineData("{" + Numbers + ",\"next_action_at\":\"\\ud800\"}", "next_action_at")]
    [InlineData("{" + Numbers + ",\"metadata\":[1]}", "metadata")]
    [InlineData("{" + Numbers + ",\"metadata\":\"text\"}", "metadata")]
    [InlineData("{" + Numbers + ",\"metadata\":{\"a\":1,\"a\":2}}", "metadata")]
    [InlineData("{" + Numbers + ",\"metadata\":{\"half a pair\":\"\\ud800\"}}", "metadata")]
    [InlineData("{" + Numbers + ",\"metadata\":{\"\\udc00\\ud800\":1}}", "metadata")]
    [InlineData("{" + Numbers + ",\"it's [x].y\":1}", "it's [x].y")]
    [InlineData("{" + Numbers + ",\"metadata\":{\"a\":01}}", "metadata")]
    [InlineData("{" + Numbers + ",\"metadata\":{\"a\":1,}}", "metadata")]
    [InlineData("{" + Numbers + ",}", "body")]
    [InlineData("{" + Numbers + "} {}", "body")]
    [InlineData("{\"from\":", "from")]
    [InlineData("{", "body")]
    [InlineData("not json", "body")]
    [InlineData("from=%2B918047110000", "body")]
    [InlineData("[]", "body")]
    [InlineData("[{" + Numbers + "}]", "body")]
    [InlineData("\"text\"", "body")]
    [InlineData("5", "body")]
    [InlineData("null", "body")]
    [InlineData("", "body")]
    [InlineData("   ", "body")]
    public async Task A_body_that_is_wrong_is_refused_by_the_fields_name_on_both_POSTs(string body, params string[] wrong)
    {
        var acme = await host.AddOrganization();
        foreach (var route in new[] { "/api/calls", "/api/calls/outbound" })
            (await host.ChangesNothing(() => acme.Post(route, body))).ShouldBeProblem(HttpStatusCode.BadRequest, wrong);
    }

    [Fact]
    public async Task Direction_is_one_of_two_words_and_no_field_of_an_outbound_call()
    {
        var acme = await host.AddOrganization();
        foreach (var direction in new[] { "\"SIDEWAYS\"", "\"outbound\"", "\"\"", "1", "\"\\ud800\"" })
        {
            (await host.ChangesNothing(() => acme.Post("/api/calls", $$"""{{{Numbers}},"direction":{{direction}}}""")))
                .ShouldBeProblem(HttpStatusCode.BadRequest, "direction");
        }

        (await host.ChangesNothing(() => acme.Post("/api/calls/outbound", $$"""{{{Numbers}},"direction":"OUTBOUND"}""")))
            .ShouldBeProblem(HttpStatusCode.BadRequest, "direction");
    }

    [Theory]
    [InlineData("from", "{\"to\":\"+919900000001\",\"from\":\"+91\u00ff\"}")]
    [InlineData("metadata", "{" + Numbers + ",\"metadata\":{\"a\":\"\u00ff\"}}")]
    [InlineData("metadata", "{" + Numbers + ",\"metadata\":{\"\u00ff\":1}}")]
    [InlineData("body", "\u00ff")]
    public async Task Bytes_that_are_no_UTF_8_are_refused_by_the_fields_name(string wrong, string body)
    {
        var acme = await host.AddOrganization();
        // Latin 1 makes of the one letter the one byte that UTF-8 never has.
        var answer = await host.ChangesNothing(() => acme.Send(HttpMethod.Post, "/api/calls", Bytes(Encoding.Latin1.GetBytes(body))));
        answer.ShouldBeProblem(HttpStatusCode.BadRequest, wrong);
    }

    [Fact]
    public async Task A_field_whose_name_is_no_UTF_8_is_refused()
    {
        var acme = await host.AddOrganization();
        var answer = await host.ChangesNothing(() => acme.Send(HttpMethod.Post, "/api/calls", Bytes(Encoding.Latin1.GetBytes("{" + Numbers + ",\"\u00ff\":1}"))));
        answer.Status.ShouldBe(HttpStatusCode.BadRequest);
        answer.WrongFields.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Metadata_nested_deeper_than_anybody_reads_is_refused()
    {
        var acme = await host.AddOrganization();
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 100)) + "1" + new string('}', 100);
        (await host.ChangesNothing(() => acme.Post("/api/calls", $$"""{{{Numbers}},"metadata":{{deep}}}"""))).ShouldBeProblem(HttpStatusCode.BadRequest, "metadata");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_64_KB_is_413_whether_its_length_is_told_or_not(bool chunked)
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        foreach (var (method, route) in new[] { (HttpMethod.Post, "/api/calls"), (HttpMethod.Post, "/api/calls/outbound"), (HttpMethod.Patch, $"/api/calls/{id}") })
        {
            (await host.ChangesNothing(() => acme.Send(method, route, Padded((64 * 1024) + 1)))).ShouldBeProblem(HttpStatusCode.RequestEntityTooLarge);
            // Kestrel counts the chunks' own lines too.
            (await acme.Send(method, route, Padded(chunked ? 60 * 1024 : 64 * 1024))).Status.ShouldNotBe(HttpStatusCode.RequestEntityTooLarge);
        }

        HttpContent Padded(int size)
        {
            // Read to its end before anything can be found wrong with it.
            byte[] bytes = Encoding.ASCII.GetBytes("{" + new string(' ', size - 2) + "}");
            return chunked ? new Unmeasured(bytes) : Bytes(bytes);
        }
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/xml")]
    [InlineData("application/json; charset=klingon")]
    [InlineData(null)]
    public async Task A_body_of_another_type_is_415(string? type)
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        foreach (var (method, route) in new[] { (HttpMethod.Post, "/api/calls"), (HttpMethod.Post, "/api/calls/outbound"), (HttpMethod.Patch, $"/api/calls/{id}") })
        {
            (await host.ChangesNothing(() => acme.Send(method, route, Bytes(Encoding.ASCII.GetBytes("{" + Numbers + "}"), type))))
                .ShouldBeProblem(HttpStatusCode.UnsupportedMediaType);
        }
    }

    [Theory]
    [InlineData("DELETE", "/api/calls")]
    [InlineData("PUT", "/api/calls/019b0000-0000-7000-8000-000000000001")]
    [InlineData("DELETE", "/api/calls/019b0000-0000-7000-8000-000000000001")]
    [InlineData("POST", "/api/calls/summary")]
    [InlineData("PUT", "/api/calls/outbound")]
    [InlineData("DELETE", "/webhooks/inbound")]
    [InlineData("PUT", "/webhooks/provider-event")]
    [InlineData("POST", "/health/ready")]
    public async Task Another_method_is_405_and_says_which_are_allowed(string method, string route)
    {
        var acme = await host.AddOrganization();
        var answer = await host.ChangesNothing(() => acme.Send(new HttpMethod(method), route));
        answer.ShouldBeProblem(HttpStatusCode.MethodNotAllowed);
        answer.ContentHeaders.Allow.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/api")]
    [InlineData("/api/call")]
    [InlineData("/api/calls/019b0000-0000-7000-8000-000000000001/history")]
    [InlineData("/webhooks")]
    [InlineData("/health")]
    [InlineData("/openapi/v2.json")]
    [InlineData("/swagger/nothing.js")]
    public async Task Another_route_is_404(string route) => (await (await host.AddOrganization()).Get(route)).ShouldBeProblem(HttpStatusCode.NotFound);

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/xml, text/plain;q=0.5")]
    [InlineData("nonsense")]
    public async Task Every_error_is_a_problem_whatever_the_client_would_rather_have(string accept)
    {
        var acme = await host.AddOrganization();
        (await Send(HttpMethod.Post, "/api/calls", "{")).ShouldBeProblem(HttpStatusCode.BadRequest, "body");
        (await Send(HttpMethod.Post, "/api/calls", "{}")).ShouldBeProblem(HttpStatusCode.BadRequest, "from", "to");
        (await Send(HttpMethod.Post, "/webhooks/inbound")).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await Send(HttpMethod.Get, "/api/nothing")).ShouldBeProblem(HttpStatusCode.NotFound);
        (await Send(HttpMethod.Delete, "/api/calls")).ShouldBeProblem(HttpStatusCode.MethodNotAllowed);
        (await Send(HttpMethod.Post, "/api/calls", "{}", "text/plain")).ShouldBeProblem(HttpStatusCode.UnsupportedMediaType);

        Task<Answer> Send(HttpMethod method, string route, string? body = null, string type = "application/json") =>
            acme.Send(method, route, body is null ? null : Acme.Json(body, type), ("Accept", accept));
    }

    [Fact]
    public async Task Nothing_of_all_this_is_our_fault_or_in_the_log()
    {
        var acme = await host.AddOrganization();
        await acme.Post("/api/calls", $$"""{{{Numbers}},"metadata":{"secret":"s3cr3t"},"colour":"red"}""");
        await acme.Get("/api/calls?from=919900000077");
        host.Log.Lines.ShouldNotContain(line => line.Contains("s3cr3t", StringComparison.Ordinal) || line.Contains("9900000077", StringComparison.Ordinal));
        host.Log.Lines.ShouldNotContain(line => line.StartsWith("Error", StringComparison.Ordinal) || line.StartsWith("Critical", StringComparison.Ordinal));
    }

    private static ByteArrayContent Bytes(byte[] body, string? type = "application/json") =>
        new(body) { Headers = { ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type) } };

    /// <summary>Content whose length nobody knows beforehand: it is sent in chunks.</summary>
    private sealed class Unmeasured : HttpContent
    {
        private readonly byte[] body;

        public Unmeasured(byte[] body)
        {
            this.body = body;
            Headers.ContentType = new("application/json");
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(body).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
