using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

public sealed class ReadCallTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task A_call_is_read_with_its_history_in_order()
    {
        var acme = await host.AddOrganization();
        var (id, sid) = await acme.Dialled();
        await acme.Event(("CallSid", sid!), ("Status", "completed"));

        var read = (await acme.Read(id)).ShouldBeOk();

        read.Events.ShouldBe(["created", "claimed", "dial-accepted", "completed"]);
        var history = read.Body["history"]!.AsArray();
        history.Select(entry => (string)entry!["source"]!).ShouldBe(["api", "scheduler", "scheduler", "provider"]);
        history.Select(entry => (string)entry!["status"]!).ShouldBe(["PENDING", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]);
        history.ShouldAllBe(entry => (int)entry!["attempt"]! == 1);
        history.Select(entry => (DateTime)entry!["at"]!).ShouldBeInOrder();
        history.ShouldAllBe(entry => ((string)entry!["at"]!).EndsWith('Z'));
        ((bool)history[3]!["applied"]!).ShouldBeTrue();
        ((string)history[3]!["details"]!["CallSid"]!).ShouldBe(sid);
        ((int)read.Body["history_dropped"]!).ShouldBe(0);
    }

    [Fact]
    public async Task The_ETag_is_the_revision_and_grows_with_every_change()
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        (await acme.Read(id)).Headers.ETag!.ToString().ShouldBe("\"1\"");

        await acme.Patch(id, new { metadata = new { a = 1 } });

        var read = await acme.Read(id);
        read.Headers.ETag!.ToString().ShouldBe("\"2\"");
        ((int)read.Body["revision"]!).ShouldBe(2);
    }

    [Theory]
    [InlineData("\"1\"", true)]
    [InlineData("W/\"1\"", true)]
    [InlineData("\"0\", \"1\"", true)]
    [InlineData("*", true)]
    [InlineData("\"2\"", false)]
    [InlineData("1", false)]
    public async Task What_the_client_knows_already_is_304_without_a_body(string ifNoneMatch, bool known)
    {
        var acme = await host.AddOrganization();
        var id = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));

        var answer = await acme.Send(HttpMethod.Get, $"/api/calls/{id}", null, ("If-None-Match", ifNoneMatch));

        answer.Status.ShouldBe(known ? HttpStatusCode.NotModified : HttpStatusCode.OK);
        answer.Headers.ETag!.ToString().ShouldBe("\"1\"");
        answer.Text.Length.ShouldBe(known ? 0 : answer.Text.Length);
    }

    [Fact]
    public async Task Another_organizations_call_is_404_exactly_as_one_that_does_not_exist()
    {
        var acme = await host.AddOrganization();
        var globex = await host.AddOrganization("Globex");
        var id = await globex.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
        (await globex.Read(id)).ShouldBeOk();

        var foreign = await acme.Read(id);
        var missing = await acme.Read(Guid.CreateVersion7());
        Same(foreign.ShouldBeProblem(HttpStatusCode.NotFound), missing);

        var foreignChange = await host.ChangesNothing(() => acme.Patch(id, new { status = "COMPLETED", outcome = "canceled" }));
        var missingChange = await acme.Patch(Guid.CreateVersion7(), new { status = "COMPLETED", outcome = "canceled" });
        Same(foreignChange.ShouldBeProblem(HttpStatusCode.NotFound), missingChange);
        (await acme.Get("/api/calls")).Text.ShouldNotContain(id.ToString());
    }

    [Fact]
    public async Task Of_many_reads_at_the_same_moment_each_gets_its_own()
    {
        Acme[] both = [await host.AddOrganization(), await host.AddOrganization("Globex")];
        var ids = new List<(Guid Id, Acme Owner)>();
        for (var call = 0; call < 10; call++) ids.Add((await both[call % 2].CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1)), both[call % 2]));
        (Guid Id, Acme? Owner)[] sought = [.. ids, (Guid.CreateVersion7(), null)];

        // Each call several times, by its owner and by the other.
        var reads = (from _ in Enumerable.Range(0, 5) from one in sought from reader in both select (one, reader, Answer: reader.Read(one.Id))).ToList();

        foreach (var (one, reader, answer) in reads)
        {
            if (reader == one.Owner) ((Guid)(await answer).ShouldBeOk().Body["id"]!).ShouldBe(one.Id);
            else (await answer).ShouldBeProblem(HttpStatusCode.NotFound);
        }
    }

    [Theory]
    [InlineData("not-a-uuid")]
    [InlineData("019b00000000700080000000000000001")]
    [InlineData("{019b0000-0000-7000-8000-000000000001}")]
    [InlineData("%20")]
    public async Task An_id_that_is_no_UUID_is_404_and_says_so(string id)
    {
        var acme = await host.AddOrganization();
        (await acme.Get($"/api/calls/{id}")).ShouldBeProblem(HttpStatusCode.NotFound, "id");
        (await host.ChangesNothing(() => acme.Send(HttpMethod.Patch, $"/api/calls/{id}", Acme.Json("{}")))).ShouldBeProblem(HttpStatusCode.NotFound, "id");
    }

    private static void Same(Answer one, Answer other)
    {
        Without(one).ShouldBe(Without(other));
        Names(one).ShouldBe(Names(other));

        static string Without(Answer answer)
        {
            var body = answer.Body.AsObject();
            body.Remove("trace_id").ShouldBeTrue();
            return body.ToJsonString();
        }

        static IEnumerable<string> Names(Answer answer) => answer.Headers.Concat(answer.ContentHeaders).Select(header => header.Key);
    }
}
