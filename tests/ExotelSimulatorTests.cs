using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Tests;

/// <summary>The simulator as Exotel, seen by a client of Exotel: over HTTP, with the ledger as the witness of what it did.</summary>
public sealed class ExotelSimulatorTests : IDisposable
{
    private const string Customer = "+9199000";

    private readonly TestDirectory directory = new("exotel");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_call_is_accepted_with_the_documented_fields()
    {
        await using var exotel = await Start();

        var (status, body) = await exotel.Connect("0001", ("Url", null), ("To", "09900000077"));

        status.ShouldBe(HttpStatusCode.OK);
        var call = JsonNode.Parse(body)!["Call"]!.AsObject();
        call.Select(field => field.Key).ShouldBe(
            JsonNode.Parse(Samples.Text("25-connect-response-two-numbers-developer-docs.json"))!["Call"]!.AsObject().Select(field => field.Key));
        call["Status"]!.GetValue<string>().ShouldBe("in-progress");
        call["From"]!.GetValue<string>().ShouldBe("09900000001");
        call["To"]!.GetValue<string>().ShouldBe("09900000077");
        call["PhoneNumberSid"]!.GetValue<string>().ShouldBe("08047110000");
        call["Sid"]!.GetValue<string>().ShouldMatch("^[0-9a-z]{31}[g-z]$");

        // Indian time, and the same whole second as the clock of this test.
        call["DateCreated"]!.GetValue<string>().ShouldBe(exotel.Clock.GetUtcNow().AddHours(5.5).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
        new[] { "EndTime", "Duration", "Price", "RecordingUrl" }.ShouldAllBe(name => call[name] == null);
    }

    [Fact]
    public async Task Without_json_in_the_path_the_answer_is_the_same_in_XML()
    {
        await using var exotel = await Start();

        var (status, body) = await exotel.Connect("0001", json: false, multipart: true);

        status.ShouldBe(HttpStatusCode.OK);
        var call = XDocument.Parse(body).Root!.Element("Call")!;
        call.Element("From")!.Value.ShouldBe("09900000001");
        call.Element("EndTime")!.Value.ShouldBeEmpty();
        exotel.Dials().Single().CallSid.ShouldBe(call.Element("Sid")!.Value);

        var (_, error) = await exotel.Connect("0010", json: false);
        XDocument.Parse(error).Root!.Element("RestException")!.Element("Message")!.Value
            .ShouldBe("Call to [09900000010] cannot be made because of TRAI NDNC regulations");
    }

    [Theory]
    [InlineData("From", null, "Mandatory parameter missing: From")]
    [InlineData("CallerId", null, "Mandatory parameter missing: CallerId")]
    [InlineData("Url", null, "Mandatory parameter missing: To, Url or StreamUrl")]
    [InlineData("To", "+919900000077", "To and Url exclude each other")]
    [InlineData("From", "nobody", "From is not a phone number")]
    [InlineData("Url", "flow", "Url is not an absolute address (http, https)")]
    [InlineData("StreamType", "bidirectional", "StreamUrl and StreamType=bidirectional belong together")]
    [InlineData("CallType", "other", "CallType can only be 'trans' or 'promo'")]
    [InlineData("TimeLimit", "0", "TimeLimit is not a number of seconds from 1 to 14400")]
    [InlineData("StatusCallback", "nowhere", "StatusCallback is not an absolute address (http, https)")]
    [InlineData("StatusCallbackEvents[0]", "ringing", "StatusCallbackEvents cannot be 'ringing'")]
    [InlineData("StatusCallbackEvents[0]", "terminal", "StatusCallbackEvents without StatusCallback")]
    [InlineData("StatusCallbackContentType", "text/plain", "StatusCallbackContentType can only be 'multipart/form-data' or 'application/json'")]
    public async Task What_is_missing_or_contradictory_is_refused_by_its_name(string field, string? value, string message)
    {
        await using var exotel = await Start();

        var (status, body) = await exotel.Connect("0001", (field, value));

        status.ShouldBe(HttpStatusCode.BadRequest);
        body.ShouldBeError(400, message);
        exotel.Dials().ShouldBeEmpty();
        exotel.Ledger().ShouldContain(line => line.Kind == LedgerKind.Refused && line.Message == message && line.HttpStatus == 400);
    }

    [Fact]
    public async Task A_custom_field_has_128_characters_at_most()
    {
        await using var exotel = await Start();

        (await exotel.Connect("0001", ("CustomField", new string('x', 128)))).Status.ShouldBe(HttpStatusCode.OK);
        (await exotel.Connect("0001", ("CustomField", new string('x', 129)))).Status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Names_are_case_sensitive(bool multipart)
    {
        await using var exotel = await Start();

        var (status, body) = await exotel.Connect("0001", multipart: multipart, fields: [("CallerId", null), ("callerid", "+918047110000")]);

        status.ShouldBe(HttpStatusCode.BadRequest);
        body.ShouldBeError(400, "Mandatory parameter missing: CallerId (names are case-sensitive: 'callerid' is another one)");
    }

    [Fact]
    public async Task A_stranger_is_401_and_another_account_404()
    {
        await using var exotel = await Start();
        var sample = JsonNode.Parse(Samples.Text("30-connect-error-401-developer-docs.json"))!["RestException"]!;

        using var stranger = exotel.Client("somebody:else");
        using var refused = await stranger.PostAsync("v1/Accounts/demo/Calls/connect.json", null, Cancellation);
        refused.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await refused.Content.ReadAsStringAsync(Cancellation)).ShouldBeError(401, sample["Message"]!.GetValue<string>());

        var (status, body) = await exotel.Get("v1/Accounts/other/Calls.json");
        status.ShouldBe(HttpStatusCode.NotFound);
        JsonNode.Parse(body)!["RestException"]!["Status"]!.GetValue<int>().ShouldBe(404);
        exotel.Dials().ShouldBeEmpty();
    }

    [Fact]
    public async Task Dials_and_look_ups_share_the_limit_of_a_minute()
    {
        await using var exotel = await Start(callsPerMinute: 2);
        await exotel.Connect("0001");
        await exotel.Get("v1/Accounts/demo/Calls.json");
        exotel.Clock.Advance(TimeSpan.FromSeconds(30));

        using var refused = await exotel.Post("0001");

        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(30));
        JsonNode.DeepEquals(
            JsonNode.Parse(await refused.Content.ReadAsStringAsync(Cancellation)),
            JsonNode.Parse(Samples.Text("31-connect-error-429-developer-docs.json"))).ShouldBeTrue();
        exotel.Dials().Count.ShouldBe(1);

        exotel.Clock.Advance(TimeSpan.FromSeconds(30));
        (await exotel.Connect("0001")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Details_settle_two_minutes_after_the_end()
    {
        await using var exotel = await Start();
        var sid = (await exotel.Connect("0001", ("Url", null), ("To", "+919900000077"))).Sid();
        await exotel.Server.Quiet();

        var unsettled = await exotel.Call(sid, "?details=true");
        unsettled["Status"]!.GetValue<string>().ShouldBe("completed");
        new[] { "EndTime", "Duration", "Price" }.ShouldAllBe(name => unsettled[name] == null);

        exotel.Clock.Advance(TimeSpan.FromMinutes(2) / 100_000);
        var settled = await exotel.Call(sid, "?details=true");
        settled.Select(field => field.Key).ShouldBeSubsetOf([.. unsettled.Select(field => field.Key)]);
        var sample = JsonNode.Parse(Samples.Text("32-call-details-true-developer-docs.json"))!["Call"]!.AsObject();
        sample.Select(field => field.Key).ShouldBeSubsetOf([.. settled.Select(field => field.Key)]);
        sample["Details"]!.AsObject().Select(field => field.Key).ShouldBe(settled["Details"]!.AsObject().Select(field => field.Key));
        settled["Duration"]!.GetValue<string>().ShouldBe($"{settled["Details"]!["Legs"]![0]!["Leg"]!["OnCallDuration"]}");
        settled["Price"]!.GetValue<string>().ShouldMatch(@"^\d+\.\d{3}$");

        (await exotel.Call(sid, "")).ContainsKey("Details").ShouldBeFalse();
        var (_, xml) = await exotel.Get($"v1/Accounts/demo/Calls/{sid}?details=true");
        XDocument.Parse(xml).Root!.Element("Call")!.Element("Details")!.Element("Legs")!.Elements("Leg").Count().ShouldBe(2);
        (await exotel.Get("v1/Accounts/demo/Calls/0123456789abcdef0123456789abcdeg.json")).Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_list_goes_page_by_page_in_both_directions_and_leaves_out_what_goes_on()
    {
        await using var exotel = await Start(callsPerMinute: 1000);
        var sids = new List<string>();
        for (var call = 0; call < 5; call++) sids.Add((await exotel.Connect("0003")).Sid());
        await exotel.Server.Quiet();
        await using var slow = await Start(speed: 0.001, ledger: "slow");
        await slow.Connect("0001");
        (await slow.Page("v1/Accounts/demo/Calls.json")).Sids.ShouldBeEmpty();

        var first = await exotel.Page("v1/Accounts/demo/Calls.json?PageSize=2&From=%2B919900000003");
        var second = await exotel.Page(first.Next!);
        var third = await exotel.Page(second.Next!);
        var back = await exotel.Page(third.Previous!);

        sids.Reverse();
        ((string[])[.. first.Sids, .. second.Sids, .. third.Sids]).ShouldBe(sids);
        back.Sids.ShouldBe(second.Sids);
        (first.Previous, third.Next, first.Total).ShouldBe((null, null, 5));
    }

    [Fact]
    public async Task The_list_filters_by_Indian_time_number_and_status()
    {
        await using var exotel = await Start();
        var busy = (await exotel.Connect("0003")).Sid();
        exotel.Clock.Advance(TimeSpan.FromSeconds(10));
        var failed = (await exotel.Connect("0004")).Sid();
        await exotel.Server.Quiet();
        var later = exotel.Clock.GetUtcNow().AddHours(5.5).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

        async Task<string[]> Found(string filter) => (await exotel.Page($"v1/Accounts/demo/Calls.json?{filter}")).Sids;

        (await Found($"DateCreated={Uri.EscapeDataString($"gte:{later};lte:{later}")}")).ShouldBe([failed]);
        (await Found("Status=busy")).ShouldBe([busy]);
        (await Found("From=09900000003,%2B919900000099")).ShouldBe([busy]);
        (await Found("From=+919900000004")).ShouldBe([failed]);
        (await Found("PhoneNumber=08047110000&SortBy=DateCreated:asc")).ShouldBe([busy, failed]);
        (await Found($"Sid={failed}&To=08047110000")).ShouldBe([failed]);
        foreach (var wrong in (string[])["PageSize=101", "DateCreated=today", "After=xyz", "Colour=red", "From=nobody"])
            (await exotel.Get($"v1/Accounts/demo/Calls.json?{wrong}")).Status.ShouldBe(HttpStatusCode.BadRequest, wrong);
    }

    [Fact]
    public void The_seed_and_the_number_draw_a_well_behaved_script_every_time()
    {
        string[] drawn = [.. Enumerable.Range(5000, 400).Select(number => Scripts.For($"{Customer}00{number}", 7).Name)];

        drawn.Distinct().Order().ShouldBe(["busy", "completes", "failed", "rings-out"]);
        Enumerable.Range(5000, 400).Select(number => Scripts.For($"{Customer}00{number}", 7).Name).ShouldBe(drawn);
        Enumerable.Range(5000, 400).Select(number => Scripts.For($"{Customer}00{number}", 8).Name).ShouldNotBe(drawn);

        // Written down, because another process has to draw the same.
        drawn[..4].ShouldBe(FirstFourOfSeed7);
    }

    private static readonly string[] FirstFourOfSeed7 = ["completes", "completes", "rings-out", "completes"];

    [Fact]
    public async Task The_ledger_goes_on_after_a_torn_line_and_has_one_writer()
    {
        var path = Path.Combine(directory.Path, "torn.jsonl");
        using (var ledger = new Ledger(path, TimeProvider.System)) ledger.Write(new() { Kind = LedgerKind.Start });
        await File.AppendAllTextAsync(path, """{"kind":"dial","call_""", Cancellation);
        Ledger.Read(path).Count.ShouldBe(1);

        using (var ledger = new Ledger(path, TimeProvider.System))
        {
            Should.Throw<IOException>(() => new Ledger(path, TimeProvider.System));
            ledger.Write(new() { Kind = LedgerKind.End });
            Ledger.Read(path).Select(line => line.Kind).ShouldBe([LedgerKind.Start, LedgerKind.End]);
        }
    }

    private Task<PlayedExotel> Start(double speed = 100_000, int callsPerMinute = 200, string ledger = "ledger") =>
        PlayedExotel.Start(Path.Combine(directory.Path, $"{ledger}.jsonl"), speed, callsPerMinute);
}
