using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using CallOrchestration.Tests;

namespace CallOrchestration.Calls.Tests;

public sealed class ListCallsTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task The_list_is_newest_first_and_holds_the_organizations_own_calls_without_history()
    {
        var acme = await host.AddOrganization();
        var globex = await host.AddOrganization("Globex");
        var first = await acme.CreateOutbound();
        await globex.CreateOutbound();
        var second = await acme.CreateOutbound();

        var list = (await acme.Get("/api/calls")).ShouldBeOk();

        Ids(list).ShouldBe([second, first]);
        list.Body["next_cursor"].ShouldBeNull();
        list.Body["items"]!.AsArray().ShouldAllBe(item => !item!.AsObject().ContainsKey("history"));
        Ids(await (await host.AddOrganization("Nobody")).Get("/api/calls")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_call_stands_in_the_list_as_reading_it_gives_it_less_its_history()
    {
        var acme = await host.AddOrganization();
        var (dialled, sid) = await acme.Dialled();
        await acme.Event(("CallSid", sid!), ("EventType", "answered"), ("Status", "in-progress"));
        await acme.Event(("CallSid", sid!), ("EventType", "terminal"), ("Status", "completed"), ("ConversationDuration", "320"), ("RecordingUrl", "https://recordings.example/1.mp3?a=1&b=<ü>"));
        await acme.Post("/api/calls/outbound", new
        {
            from = Acme.Phone, to = Acme.Customer, next_action_at = "2027-01-01T09:00:00.123456Z", metadata = new { name = "Asha \"ü\" <&+> \u2028" }, connect = new { number = Acme.Phone },
        });
        await acme.Post("/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone });

        var items = (await acme.Get("/api/calls")).ShouldBeOk().Body["items"]!.AsArray();

        items.Count.ShouldBe(3);
        foreach (var item in items)
        {
            var call = (await acme.Read((Guid)item!["id"]!)).ShouldBeOk().Body.AsObject();
            call.Remove("history");
            call.Remove("history_dropped");
            item.ToJsonString().ShouldBe(call.ToJsonString());
        }

        // Every field is there with something in it at least once.
        items[0]!.AsObject().Select(field => field.Key).Where(name => items.All(item => item![name] is null)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Each_filter_narrows_the_list_and_all_of_them_together()
    {
        var acme = await host.AddOrganization();
        var dialled = (await acme.Dialled("+919900000002")).Id;
        var canceled = await acme.CreateOutbound("+919900000003");
        await acme.Patch(canceled, new { status = "COMPLETED" });
        var due = await acme.CreateOutbound("+919900000004", DateTimeOffset.Parse("2027-01-01T09:00:00Z", null), "+918047110001");
        var later = await acme.CreateOutbound("+919900000004", DateTimeOffset.Parse("2027-01-02T09:00:00Z", null));
        var unscheduled = (await acme.Post("/api/calls", new { direction = "INBOUND", from = Acme.Customer, to = Acme.Phone })).Id;
        var all = new[] { unscheduled, later, due, canceled, dialled };
        var createdAt = await Task.WhenAll(all.Select(async id => (string)(await acme.Read(id)).Body["created_at"]!));

        await Gives("status=PENDING", unscheduled, later, due);
        await Gives("status=IN_PROGRESS", dialled);
        await Gives("status=COMPLETED", canceled);
        await Gives("direction=INBOUND", unscheduled);
        await Gives("direction=OUTBOUND", later, due, canceled, dialled);
        await Gives("outcome=canceled", canceled);
        await Gives("outcome=busy");
        await Gives("from=%2B918047110001", due);
        await Gives("from=+918047110001", due);
        await Gives("to=%2B919900000004", later, due);
        await Gives($"created_after={createdAt[2]}", unscheduled, later);
        await Gives($"created_before={createdAt[2]}", canceled, dialled);
        await Gives("due_before=2027-01-01T09:00:00Z");
        await Gives("due_before=2027-01-01T14:30:01%2B05:30", due);
        await Gives("due_before=2027-01-02T09:00:01Z", later, due);
        await Gives(
            "status=PENDING&direction=OUTBOUND&from=%2B918047110001&to=%2B919900000004&due_before=2028-01-01T00:00:00Z&limit=1"
            + $"&created_after={createdAt[4]}&created_before={createdAt[1]}",
            due);
        await Gives("status=COMPLETED&outcome=canceled&direction=OUTBOUND", canceled);
        await Gives("status=PENDING&outcome=canceled");

        async Task Gives(string query, params Guid[] expected) => Ids((await acme.Get($"/api/calls?{query}")).ShouldBeOk()).ShouldBe(expected, query);
    }

    [Theory]
    [InlineData("")]
    [InlineData("&status=PENDING")]
    public async Task Following_the_cursor_gives_every_call_once_whatever_is_inserted_meanwhile(string filter)
    {
        var acme = await host.AddOrganization();
        var expected = new List<Guid>();
        for (var i = 0; i < 7; i++) expected.Insert(0, await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1)));
        // Each status has its own index.
        if (filter.Length == 0) foreach (var id in expected.Where((_, place) => place % 2 == 0)) await acme.Patch(id, new { status = "COMPLETED" });
        // Calls of one transaction have one creation time: only the id tells them apart.
        expected.InsertRange(0, await AtTheSameMoment(acme, 6));

        var found = new List<Guid>();
        for (string? cursor = null, first = ""; cursor is not null || first is not null; first = null)
        {
            var page = (await acme.Get($"/api/calls?limit=3{filter}{(cursor is null ? "" : "&cursor=" + cursor)}")).ShouldBeOk();
            found.AddRange(Ids(page));
            cursor = (string?)page.Body["next_cursor"];
            await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
            await AtTheSameMoment(acme, 2);
        }

        found.ShouldBe(expected);
    }

    [Fact]
    public async Task A_last_page_that_is_full_has_no_cursor()
    {
        var acme = await host.AddOrganization();
        for (var i = 0; i < 4; i++) await acme.CreateOutbound();

        var first = await acme.Get("/api/calls?limit=2");
        var second = await acme.Get($"/api/calls?limit=2&cursor={first.Body["next_cursor"]}");

        Ids(second).Count.ShouldBe(2);
        second.Body["next_cursor"].ShouldBeNull();
    }

    [Fact]
    public async Task A_page_has_50_calls_unless_the_limit_says_1_to_200()
    {
        var acme = await host.AddOrganization();
        await AtTheSameMoment(acme, 201);

        Ids(await acme.Get("/api/calls")).Count.ShouldBe(50);
        Ids(await acme.Get("/api/calls?limit=1")).Count.ShouldBe(1);
        Ids(await acme.Get("/api/calls?limit=200")).Count.ShouldBe(200);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=+1", "limit")]
    [InlineData("limit=1.5", "limit")]
    [InlineData("limit=99999999999999999999", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("limit", "limit")]
    [InlineData("status=SLEEPING", "status")]
    [InlineData("status=pending", "status")]
    [InlineData("status=", "status")]
    [InlineData("status=%00", "status")]
    [InlineData("status=%FF", "status")]
    [InlineData("direction=sideways", "direction")]
    [InlineData("outcome=vanished", "outcome")]
    [InlineData("outcome=completed' or '1' = '1", "outcome")]
    [InlineData("from=9900000001", "from")]
    [InlineData("from=++919900000001", "from")]
    [InlineData("to=%2B91", "to")]
    [InlineData("created_after=2027-01-01T09:00:00", "created_after")]
    [InlineData("created_after=2027-01-01T09:00:00+05:30", "created_after")]
    [InlineData("created_before=yesterday", "created_before")]
    [InlineData("due_before=2027-01-01", "due_before")]
    [InlineData("cursor=", "cursor")]
    [InlineData("cursor=abc", "cursor")]
    [InlineData("cursor=!!!", "cursor")]
    [InlineData("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor")]
    [InlineData("colour=red", "colour")]
    [InlineData("Status=PENDING", "Status")]
    [InlineData("status=PENDING&status=COMPLETED", "status")]
    [InlineData("limit=1&limit=1", "limit")]
    [InlineData("limit=0&status=x&colour=red", "limit", "status", "colour")]
    public async Task A_parameter_that_is_wrong_unknown_or_repeated_is_refused_by_name(string query, params string[] wrong) =>
        (await (await host.AddOrganization()).Get($"/api/calls?{query}")).ShouldBeProblem(HttpStatusCode.BadRequest, wrong);

    [Fact]
    public async Task A_cursor_is_good_for_the_organization_it_was_given_to_and_only_as_it_was_given()
    {
        var acme = await host.AddOrganization();
        var globex = await host.AddOrganization("Globex");
        for (var i = 0; i < 2; i++) await acme.CreateOutbound();
        var cursor = (string)(await acme.Get("/api/calls?limit=1")).Body["next_cursor"]!;
        (await acme.Get($"/api/calls?cursor={cursor}")).ShouldBeOk();

        (await globex.Get($"/api/calls?cursor={cursor}")).ShouldBeProblem(HttpStatusCode.BadRequest, "cursor");
        var changed = cursor[..5] + (cursor[5] == 'A' ? 'B' : 'A') + cursor[6..];
        (await acme.Get($"/api/calls?cursor={changed}")).ShouldBeProblem(HttpStatusCode.BadRequest, "cursor");
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    public async Task A_cursor_that_was_made_up_with_all_our_knowledge_is_no_error_of_ours(long ticks)
    {
        var acme = await host.AddOrganization();
        byte[] payload = [.. BitConverter.GetBytes(ticks).Reverse(), .. Guid.CreateVersion7().ToByteArray(bigEndian: true)];
        byte[] checksum = SHA256.HashData([.. payload, .. acme.Id.ToByteArray()])[..8];

        var answer = await acme.Get($"/api/calls?cursor={Base64Url.EncodeToString([.. payload, .. checksum])}");

        answer.ShouldBeProblem(HttpStatusCode.BadRequest, "cursor");
    }

    private static IReadOnlyList<Guid> Ids(Answer list) => [.. list.Body["items"]!.AsArray().Select(item => (Guid)item!["id"]!)];

    /// <summary>Calls with one creation time, in the order of the list.</summary>
    private async Task<IReadOnlyList<Guid>> AtTheSameMoment(Acme acme, int count)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        return (await connection.QueryAsync<Guid>(
            """
            with inserted as (
                insert into calls (id, organization_id, direction, status, from_number, to_number)
                select gen_random_uuid(), @Id, 'OUTBOUND', 'PENDING', '+918047110000', '+919900000001'
                from generate_series(1, @count)
                returning id
            )
            select id from inserted order by id desc
            """, new { acme.Id, count })).AsList();
    }
}
