using System.Net;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

/// <summary>What a PATCH takes: conditions, metadata, and fields that are wrong.</summary>
public sealed class CallChangeTests(TestHost host) : IClassFixture<TestHost>
{
    [Theory]
    [InlineData("\"1\"", true)]
    [InlineData("*", true)]
    [InlineData("\"7\", \"1\"", true)]
    [InlineData("\"2\"", false)]
    [InlineData("W/\"1\"", false)]
    [InlineData("\"7\",\"8\"", false)]
    [InlineData("1", false)]
    [InlineData("", false)]
    public async Task If_Match_makes_a_change_conditional(string ifMatch, bool matches)
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);

        if (matches)
        {
            (await acme.Patch(id, new { metadata = new { a = 1 } }, ("If-Match", ifMatch))).ShouldBeOk().Headers.ETag!.ToString().ShouldBe("\"2\"");
        }
        else
        {
            (await host.ChangesNothing(() => acme.Patch(id, new { metadata = new { a = 1 } }, ("If-Match", ifMatch))))
                .ShouldBeProblem(HttpStatusCode.PreconditionFailed);
        }
    }

    [Fact]
    public async Task Of_two_changes_of_one_revision_the_second_is_412()
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);

        var answers = await Task.WhenAll(Enumerable.Range(0, 2).Select(n => acme.Patch(id, new { metadata = new { n } }, ("If-Match", "\"1\""))));

        answers.Select(answer => answer.Status).ShouldBe([HttpStatusCode.OK, HttpStatusCode.PreconditionFailed], ignoreOrder: true);
    }

    [Fact]
    public async Task The_condition_comes_before_the_lifecycle()
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);
        await acme.Patch(id, new { status = "COMPLETED" });
        (await acme.Patch(id, new { status = "IN_PROGRESS" }, ("If-Match", "\"1\""))).ShouldBeProblem(HttpStatusCode.PreconditionFailed);
    }

    [Theory]
    [InlineData("null", """{"a":1}""", """{"a":1}""")]
    [InlineData("""{"a":1}""", """{"b":{"c":2}}""", """{"a":1,"b":{"c":2}}""")]
    [InlineData("""{"a":1,"b":2}""", """{"a":null,"z":null}""", """{"b":2}""")]
    [InlineData("""{"a":{"x":1,"y":2}}""", """{"a":{"x":null,"z":3}}""", """{"a":{"y":2,"z":3}}""")]
    [InlineData("""{"a":{"x":1}}""", """{"a":[1,null]}""", """{"a":[1,null]}""")]
    [InlineData("""{"a":"text"}""", """{"a":{"x":{"y":null}}}""", """{"a":{"x":{}}}""")]
    [InlineData("""{"n":1.0e+2,"big":12345678901234567890.000,"é":"<&>"}""", """{"m":-0}""", """{"n":1.0e+2,"big":12345678901234567890.000,"é":"<&>","m":-0}""")]
    [InlineData("""{"a":"\u0000"}""", """{"\u0000":"\u0000"}""", """{"a":"\u0000","\u0000":"\u0000"}""")]
    [InlineData("""{"a":1}""", "null", "null")]
    public async Task Metadata_is_merged_and_null_removes(string before, string patch, string after)
    {
        var acme = await host.AddOrganization();
        var id = (await acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","metadata":{{before}}}""")).Id;

        (await acme.Patch(id, $$"""{"metadata":{{patch}}}""")).ShouldBeOk().Text.ShouldContain($"\"metadata\":{after},", Case.Sensitive);

        (await acme.Read(id)).Text.ShouldContain($"\"metadata\":{after},", Case.Sensitive);
    }

    [Fact]
    public async Task Merged_metadata_may_not_grow_beyond_8192_bytes()
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);
        (await acme.Patch(id, new { metadata = new { a = new string('x', 4000), b = new string('é', 2000) } })).ShouldBeOk();

        (await host.ChangesNothing(() => acme.Patch(id, new { metadata = new { c = new string('x', 200) } }))).ShouldBeProblem(HttpStatusCode.BadRequest, "metadata");

        (await acme.Patch(id, new { metadata = new { a = (string?)null, c = new string('x', 4000) } })).ShouldBeOk();
    }

    [Fact]
    public async Task Metadata_of_a_call_that_is_over_may_still_change()
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);
        await acme.Patch(id, new { status = "COMPLETED" });

        var changed = (await acme.Patch(id, new { metadata = new { note = "called off" } })).ShouldBeOk();

        changed.CallStatus.ShouldBe(CallStatus.Completed);
        ((int)changed.Body["revision"]!).ShouldBe(3);
        (await acme.Read(id)).Events.ShouldBe(["created", "canceled"]);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"metadata":{}}""")]
    [InlineData("""{"metadata":{"nothing":null}}""")]
    [InlineData("""{"status":"PENDING"}""")]
    public async Task A_patch_that_changes_nothing_leaves_the_revision(string patch)
    {
        var acme = await host.AddOrganization();
        var created = await acme.Post("/api/calls", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","metadata":{ "a" : 1.0 } }""");

        var answer = (await host.ChangesNothing(() => acme.Patch(created.Id, patch))).ShouldBeOk();

        answer.Text.ShouldBe(created.Text);
        answer.Headers.ETag!.ToString().ShouldBe("\"1\"");
    }

    [Theory]
    [InlineData("""{"status":"SLEEPING"}""", "status")]
    [InlineData("""{"status":"pending"}""", "status")]
    [InlineData("""{"status":null}""", "status")]
    [InlineData("""{"status":1}""", "status")]
    [InlineData("""{"status":["PENDING"]}""", "status")]
    [InlineData("""{"status":"\ud800"}""", "status")]
    [InlineData("""{"status":"COMPLETED","outcome":"vanished"}""", "outcome")]
    [InlineData("""{"status":"COMPLETED","outcome":5}""", "outcome")]
    [InlineData("""{"status":"COMPLETED","outcome":"\ud800"}""", "outcome")]
    [InlineData("""{"outcome":"busy"}""", "outcome")]
    [InlineData("""{"status":"IN_PROGRESS","outcome":"busy"}""", "outcome")]
    [InlineData("""{"next_action_at":"2027-01-01T09:00:00"}""", "next_action_at")]
    [InlineData("""{"next_action_at":"\ud800"}""", "next_action_at")]
    [InlineData("""{"next_action_at":5}""", "next_action_at")]
    [InlineData("""{"next_action_at":{}}""", "next_action_at")]
    [InlineData("""{"status":"COMPLETED","next_action_at":"2027-01-01T09:00:00Z"}""", "next_action_at")]
    [InlineData("""{"status":"IN_PROGRESS","next_action_at":null}""", "next_action_at")]
    [InlineData("""{"metadata":[]}""", "metadata")]
    [InlineData("""{"metadata":"text"}""", "metadata")]
    [InlineData("""{"metadata":{"a":1,"a":2}}""", "metadata")]
    [InlineData("""{"metadata":{"half a pair":"\ud800"}}""", "metadata")]
    [InlineData("""{"metadata":{"\udc00":1}}""", "metadata")]
    [InlineData("""{"from":"+919900000001"}""", "from")]
    [InlineData("""{"history":[]}""", "history")]
    [InlineData("""{"status":"PENDING","status":"PENDING"}""", "status")]
    [InlineData("""{"status":"x","outcome":"y","next_action_at":"z","metadata":0}""", "status", "outcome", "next_action_at", "metadata")]
    [InlineData("""[]""", "body")]
    [InlineData("""null""", "body")]
    [InlineData("""{"status":""", "status")]
    [InlineData("", "body")]
    public async Task A_patch_that_is_wrong_is_refused_by_the_fields_name(string patch, params string[] wrong)
    {
        var acme = await host.AddOrganization();
        var id = await Scheduled(acme);
        (await host.ChangesNothing(() => acme.Patch(id, patch))).ShouldBeProblem(HttpStatusCode.BadRequest, wrong);
    }

    [Fact]
    public async Task Plain_JSON_is_taken_as_a_merge_patch_too()
    {
        var acme = await host.AddOrganization();
        (await acme.Send(HttpMethod.Patch, $"/api/calls/{await Scheduled(acme)}", Acme.Json(new { status = "COMPLETED" }))).ShouldBeOk();
    }

    private static Task<Guid> Scheduled(Acme acme) => acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
}
