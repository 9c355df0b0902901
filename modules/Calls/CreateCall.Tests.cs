using System.Net;
using System.Text;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

public sealed class CreateCallTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task A_new_call_is_answered_with_its_place_its_revision_and_every_field()
    {
        var acme = await host.AddOrganization();

        var created = await acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer });

        created.Status.ShouldBe(HttpStatusCode.Created);
        created.ContentType.ShouldBe("application/json");
        created.Headers.Location!.OriginalString.ShouldBe($"/api/calls/{created.Id}");
        created.Headers.ETag!.ToString().ShouldBe("\"1\"");
        created.Id.Version.ShouldBe(7);
        var read = await acme.Get(created.Headers.Location.OriginalString);
        foreach (var (name, value) in created.Body.AsObject()) read.Body[name]?.ToJsonString().ShouldBe(value?.ToJsonString());
        created.Body.AsObject().Select(field => field.Key).ShouldBe(
        [
            "id", "organization_id", "direction", "status", "outcome", "from", "to", "next_action_at", "retries", "provider_call_id", "started_at",
            "answered_at", "ended_at", "duration_seconds", "recording_url", "metadata", "connect", "revision", "created_at", "updated_at",
        ]);
        var filled = created.Body.AsObject().Where(field => field.Value is not null).ToDictionary(field => field.Key, field => field.Value!.ToString());
        filled.ShouldBe(new Dictionary<string, string>
        {
            ["id"] = created.Id.ToString(),
            ["organization_id"] = acme.Id.ToString(),
            ["direction"] = "OUTBOUND",
            ["status"] = "PENDING",
            ["from"] = Acme.Phone,
            ["to"] = Acme.Customer,
            ["retries"] = "0",
            ["revision"] = "1",
            ["created_at"] = (string)created.Body["created_at"]!,
            ["updated_at"] = (string)created.Body["created_at"]!,
        });
        ((string)created.Body["created_at"]!).ShouldMatch(@"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$");
    }

    [Fact]
    public async Task Nothing_is_scheduled_unless_a_time_is_given_and_then_the_scheduler_dials()
    {
        var acme = await host.AddOrganization();
        var waits = await acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer });
        var due = await acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer, next_action_at = "2020-01-01T00:00:00Z" });

        await host.Trigger();

        (await acme.Read(waits.Id)).CallStatus.ShouldBe(CallStatus.Pending);
        (await acme.Read(due.Id)).CallStatus.ShouldBe(CallStatus.InProgress);
    }

    [Fact]
    public async Task An_inbound_call_may_be_created_but_never_with_a_time_to_dial_it()
    {
        var acme = await host.AddOrganization();

        var created = await acme.Post("/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone });
        ((string?)created.Body["direction"]).ShouldBe("INBOUND");
        created.CallStatus.ShouldBe(CallStatus.Pending);

        var refused = await host.ChangesNothing(() => acme.Post(
            "/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone, next_action_at = "2027-01-01T09:00:00Z" }));
        refused.ShouldBeProblem(HttpStatusCode.BadRequest, "next_action_at");
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{ "spaced" :  [ 1 ,2 ] , "deep":{"x":[{}]}	}""")]
    [InlineData("""{"n":1.0e+2,"big":123456789012345678901234567890.000,"neg":-0,"tiny":1E-400,"true":true,"null":null}""")]
    [InlineData("""{"ü":"é\u00e9 \/ 😀 \ud83d\ude00 <&> \u0000","":"empty name","नमस्ते":"日本"}""")]
    public async Task Metadata_comes_back_to_the_byte(string metadata)
    {
        var acme = await host.AddOrganization();
        var expected = $"\"metadata\":{metadata},";

        var created = await acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","metadata":{{metadata}}}""");

        created.Text.ShouldContain(expected, Case.Sensitive);
        (await acme.Read(created.Id)).Text.ShouldContain(expected, Case.Sensitive);
        (await acme.Get("/api/calls")).Text.ShouldContain(expected, Case.Sensitive);
        (await acme.Patch(created.Id, new { next_action_at = "2099-01-01T00:00:00Z" })).Text.ShouldContain(expected, Case.Sensitive);
    }

    [Fact]
    public async Task Null_is_as_if_the_field_were_absent()
    {
        var acme = await host.AddOrganization();

        var created = await acme.Post(
            "/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","direction":null,"next_action_at":null,"metadata":null}""");

        created.Status.ShouldBe(HttpStatusCode.Created, created.Text);
        ((string?)created.Body["direction"]).ShouldBe("OUTBOUND");
        created.Body["metadata"].ShouldBeNull();
        created.Body["next_action_at"].ShouldBeNull();
    }

    [Theory]
    [InlineData('x')]
    [InlineData('é')]
    public async Task Metadata_takes_8192_bytes_and_not_one_more(char letter)
    {
        var acme = await host.AddOrganization();
        var bytes = Encoding.UTF8.GetByteCount([letter]);
        string Metadata(int size)
        {
            var letters = new string(letter, (size - 8) / bytes);
            return $$"""{"a":"{{letters}}{{new string(' ', size - 8 - (letters.Length * bytes))}}"}""";
        }

        var fits = await acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","metadata":{{Metadata(8192)}}}""");
        fits.Text.ShouldContain($"\"metadata\":{Metadata(8192)},", Case.Sensitive);

        foreach (var size in new[] { 8193, 9 * 1024 })
        {
            (await host.ChangesNothing(() => acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","metadata":{{Metadata(size)}}}""")))
                .ShouldBeProblem(HttpStatusCode.BadRequest, "metadata");
        }
    }

    [Theory]
    [InlineData("+1234567")]
    [InlineData("+123456789012345")]
    [InlineData("+919900000001")]
    public async Task An_E164_number_has_7_to_15_digits(string number)
    {
        var acme = await host.AddOrganization();
        var created = await acme.Post("/api/calls", new { from = number, to = number });
        created.Status.ShouldBe(HttpStatusCode.Created);
        ((string?)created.Body["to"]).ShouldBe(number);
    }

    [Theory]
    [InlineData("+123456")]
    [InlineData("+1234567890123456")]
    [InlineData("+0919900000001")]
    [InlineData("919900000001")]
    [InlineData("09900000001")]
    [InlineData("00919900000001")]
    [InlineData("+91 99000 00001")]
    [InlineData("+91-9900000001")]
    [InlineData("+919900000001\n")]
    [InlineData(" +919900000001")]
    [InlineData("++919900000001")]
    [InlineData("+91९९०००००००१")]
    [InlineData("+")]
    [InlineData("")]
    [InlineData(null)]
    public async Task What_is_no_E164_number_is_refused_by_name(string? number)
    {
        var acme = await host.AddOrganization();
        foreach (var route in new[] { "/api/calls", "/api/calls/outbound" })
        {
            (await host.ChangesNothing(() => acme.Post(route, new { from = number, to = Acme.Customer }))).ShouldBeProblem(HttpStatusCode.BadRequest, "from");
            (await host.ChangesNothing(() => acme.Post(route, new { from = Acme.Phone, to = number }))).ShouldBeProblem(HttpStatusCode.BadRequest, "to");
        }
    }

    [Theory]
    [InlineData("2027-01-01T09:00:00Z", "2027-01-01T09:00:00Z")]
    [InlineData("2027-01-01t09:00:00z", "2027-01-01T09:00:00Z")]
    [InlineData("2027-01-01T14:30:00+05:30", "2027-01-01T09:00:00Z")]
    [InlineData("2026-12-31T19:00:00-14:00", "2027-01-01T09:00:00Z")]
    [InlineData("2027-01-01T23:00:00+14:00", "2027-01-01T09:00:00Z")]
    [InlineData("2027-01-01T09:00:00-00:00", "2027-01-01T09:00:00Z")]
    [InlineData("2028-02-29T09:00:00.5Z", "2028-02-29T09:00:00.5Z")]
    [InlineData("2027-01-01T09:00:00.123456Z", "2027-01-01T09:00:00.123456Z")]
    public async Task A_time_may_have_any_offset_and_comes_back_in_UTC(string sent, string stored)
    {
        var acme = await host.AddOrganization();
        var created = await acme.Post("/api/calls", new { from = Acme.Phone, to = Acme.Customer, next_action_at = sent });
        ((string?)created.Body["next_action_at"]).ShouldBe(stored, created.Text);
        ((string?)(await acme.Read(created.Id)).Body["next_action_at"]).ShouldBe(stored);
    }

    [Theory]
    [InlineData("2027-01-01T09:00:00")]
    [InlineData("2027-01-01T09:00Z")]
    [InlineData("2027-01-01")]
    [InlineData("2027-01-01T09:00:00+0530")]
    [InlineData("2027-01-01T09:00:00 IST")]
    [InlineData("2027-01-01T09:00:00+24:00")]
    [InlineData("2027-13-01T09:00:00Z")]
    [InlineData("2027-02-29T09:00:00Z")]
    [InlineData("2027-01-01T25:00:00Z")]
    [InlineData("2027-01-01T09:00:00.Z")]
    [InlineData("2027/01/01T09:00:00Z")]
    [InlineData("03/04/2027T09:00:00Z")]
    [InlineData("0001-01-01T00:00:00Z")]
    [InlineData("9999-12-31T23:59:59Z")]
    [InlineData("tomorrow")]
    [InlineData("")]
    public async Task A_time_without_a_zone_or_without_sense_is_refused_by_name(string sent)
    {
        var acme = await host.AddOrganization();
        foreach (var route in new[] { "/api/calls", "/api/calls/outbound" })
        {
            (await host.ChangesNothing(() => acme.Post(route, new { from = Acme.Phone, to = Acme.Customer, next_action_at = sent })))
                .ShouldBeProblem(HttpStatusCode.BadRequest, "next_action_at");
        }
    }
}
