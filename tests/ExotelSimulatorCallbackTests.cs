using System.Net;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Tests;

/// <summary>Each script of the simulator as Exotel, heard by a client: its callbacks, its answers, and its lines in the ledger.</summary>
public sealed class ExotelSimulatorCallbackTests : IAsyncLifetime
{
    private readonly TestDirectory directory = new("exotel-callbacks");
    private CallbackListener client = null!;
    private PlayedExotel exotel = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        client = await CallbackListener.Start();
        exotel = await Start("ledger");
    }

    public async ValueTask DisposeAsync()
    {
        await exotel.DisposeAsync();
        await client.DisposeAsync();
        directory.Dispose();
    }

    [Theory]
    [InlineData("0001", "completed")]
    [InlineData("0002", "no-answer")]
    [InlineData("0003", "busy")]
    [InlineData("0004", "failed")]
    [InlineData("0018", "canceled")]
    public async Task Without_events_one_multipart_callback_tells_the_end_in_three_fields(string script, string ending)
    {
        var sid = (await exotel.Connect(script, ("StatusCallback", client.Url), ("CustomField", "ours"), ("Record", "false"))).Sid();
        await exotel.Server.Quiet();

        var heard = client.Rest().ShouldHaveSingleItem();
        heard.Method.ShouldBe("POST");
        heard.Query.ShouldBe("?call=1&attempt=2");
        heard.ContentType!.ShouldStartWith("multipart/form-data; boundary=form-data-boundary-");
        heard.Body.Split("name=\"").Length.ShouldBe(1 + 3);
        (heard.Field("CallSid"), heard.Field("Status")).ShouldBe((sid, ending));
        Told().ShouldBe([$"dial", $"end {ending}", $"callback minimal {ending}", "callback-answer 200"]);
        exotel.Dials().Single().ShouldSatisfyAllConditions(
            dial => dial.From.ShouldBe($"+91990000{script}"),
            dial => dial.CustomField.ShouldBe("ours"),
            dial => dial.Attempt.ShouldBe(2),
            dial => dial.CallSid.ShouldBe(sid));
    }

    [Fact]
    public async Task Two_numbers_answer_twice_and_only_the_end_has_the_custom_field()
    {
        await Dial("0001", ("Url", null), ("To", "+919900000077"));

        var heard = client.Rest();
        heard.Select(Word).ShouldBe(["answered in-progress", "answered in-progress", "terminal completed"]);
        heard.Select(request => request.Field("CustomField")).ShouldBe([null, null, "ours"]);
        heard.Select(request => request.Field("Legs[1][Status]")).ShouldBe(["", "in-progress", "completed"]);
        heard[0].Field("To").ShouldBe("09900000077");
        int.Parse(heard[2].Field("ConversationDuration")!, null).ShouldBeInRange(15, 40);
    }

    [Fact]
    public async Task A_flow_has_one_leg_and_a_second_number_that_never_came_up_the_status_null()
    {
        await Dial("0001");
        await Dial("0002", ("Url", null), ("To", "+919900000077"));

        var heard = client.Rest();
        heard.Select(Word).ShouldBe(["answered in-progress", "terminal completed", "terminal no-answer"]);
        heard[1].Field("Legs[1][Status]").ShouldBeNull();
        heard[2].Field("Legs[1][Status]").ShouldBe("null");
    }

    [Fact]
    public async Task Json_comes_where_it_was_asked_for()
    {
        await Dial("0001", ("StatusCallbackContentType", "application/json"));

        var terminal = client.Rest()[^1];
        terminal.ContentType.ShouldBe("application/json");
        var json = JsonNode.Parse(terminal.Body)!.AsObject();
        json.Select(field => field.Key).Order().ShouldBe(
            JsonNode.Parse(Samples.Text("24-statuscallback-terminal-completed-developer-docs.json"))!.AsObject().Select(field => field.Key)
                .Where(key => key != "AnsweredBy").Order());
        json["Legs"]!.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_failed_delivery_is_tried_twice_more()
    {
        client.Answers(500, 302, 404);
        await Dial("0003");

        client.Rest().Select(Word).ShouldBe(Enumerable.Repeat("terminal busy", 3));
        Told().ShouldBe([
            "dial", "end busy",
            "callback terminal busy", "callback-answer 500", "callback terminal busy", "callback-answer 302", "callback terminal busy", "callback-answer 404",
        ]);
        exotel.Ledger().Where(line => line.Kind == LedgerKind.Callback).Select(line => line.Try).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task A_delivery_without_an_answer_is_tried_again()
    {
        await using var impatient = await Start("impatient", webhookTimeout: TimeSpan.FromMilliseconds(100));
        client.Answers(0, 200);
        await impatient.Connect("0003", ("StatusCallback", client.Url));
        await impatient.Server.Quiet();

        client.Rest().Count.ShouldBe(2);
        impatient.Ledger().Where(line => line.Kind == LedgerKind.CallbackAnswer).Select(line => (line.HttpStatus, line.Message))
            .ShouldBe([(null, "no answer in time"), (200, null)]);
    }

    [Fact]
    public async Task Every_line_is_in_the_ledger_before_anybody_can_see_its_effect()
    {
        var seen = new List<string[]>();
        client.BeforeAnswer = _ =>
        {
            seen.Add(Told());
            return Task.CompletedTask;
        };

        await exotel.Connect("0003", ("StatusCallback", client.Url));
        Told()[0].ShouldBe("dial");
        await exotel.Server.Quiet();

        seen.ShouldHaveSingleItem().ShouldBe(["dial", "end busy", "callback minimal busy"]);
    }

    [Fact]
    public async Task The_second_dial_of_the_same_custom_field_answers()
    {
        await Dial("0005");
        await Dial("0005");
        await exotel.Connect("0005", ("CustomField", "another"));
        await exotel.Server.Quiet();

        exotel.Ledger().Where(line => line.Kind == LedgerKind.End).Select(line => line.Status).ShouldBe(["no-answer", "completed", "no-answer"]);
        exotel.Dials().Select(dial => dial.Dial).ShouldBe([1, 2, 1]);
    }

    [Fact]
    public async Task The_callback_comes_before_the_answer_to_connect()
    {
        var released = new TaskCompletionSource();
        client.BeforeAnswer = _ => released.Task;

        var connect = exotel.Connect("0006", ("StatusCallback", client.Url));
        var heard = await client.Next();
        connect.IsCompleted.ShouldBeFalse();
        released.SetResult();

        (await connect).Sid().ShouldBe(heard.Field("CallSid"));
        JsonNode.Parse((await connect).Body)!["Call"]!["Status"]!.GetValue<string>().ShouldBe("in-progress");
    }

    [Theory]
    [InlineData("0007")]
    [InlineData("0013")]
    public async Task A_call_without_an_answer_to_connect_rings_all_the_same(string script)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var connect = exotel.Post(script, fields: [("StatusCallback", client.Url)], cancellation: patience.Token);

        (await client.Next()).Field("Status").ShouldBe("completed");
        await patience.CancelAsync();

        await Should.ThrowAsync<Exception>(() => connect);
        exotel.Dials().ShouldHaveSingleItem().HttpStatus.ShouldBeNull();
    }

    [Theory]
    [InlineData("0008", 500)]
    [InlineData("0014", 200)]
    [InlineData("0015", 200)]
    public async Task A_call_is_placed_whatever_connect_says(string script, int status)
    {
        var (answered, body) = await Dial(script);

        ((int)answered).ShouldBe(status);
        if (script == "0015") Should.Throw<System.Text.Json.JsonException>(() => JsonNode.Parse(body));
        else JsonNode.Parse(body)!["RestException"].ShouldNotBeNull();
        exotel.Dials().ShouldHaveSingleItem().HttpStatus.ShouldBe(status);
        client.Rest().Select(Word).ShouldBe(["answered in-progress", "terminal completed"]);
    }

    [Theory]
    [InlineData("0010", 403)]
    [InlineData("0016", 500)]
    [InlineData("0021", 400)]
    public async Task A_refused_call_is_never_placed(string script, int status)
    {
        var (answered, body) = await Dial(script);

        ((int)answered).ShouldBe(status);
        JsonNode.Parse(body)!["RestException"]!["Status"]!.GetValue<int>().ShouldBe(status);
        client.Rest().ShouldBeEmpty();
        Told().ShouldBe([$"refused {status}"]);
    }

    [Fact]
    public async Task A_throttled_call_is_accepted_the_second_time()
    {
        using var first = await exotel.Post("0009", fields: [("CustomField", "ours")]);
        first.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        first.Headers.RetryAfter.ShouldNotBeNull();
        exotel.Dials().ShouldBeEmpty();

        (await Dial("0009")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_silent_call_is_known_by_its_details_and_a_forgotten_one_by_nobody()
    {
        var silent = (await Dial("0011")).Sid();
        var forgotten = (await Dial("0017")).Sid();

        client.Rest().ShouldBeEmpty();
        (await exotel.Call(silent, ""))["Status"]!.GetValue<string>().ShouldBe("completed");
        (await exotel.Get($"v1/Accounts/demo/Calls/{forgotten}.json")).Status.ShouldBe(HttpStatusCode.NotFound);
        (await exotel.Page("v1/Accounts/demo/Calls.json")).Sids.ShouldBe([silent]);
        exotel.Dials().Count.ShouldBe(2);
    }

    [Fact]
    public async Task Callbacks_come_twice_and_out_of_order()
    {
        await Dial("0012");

        client.Rest().Select(Word).ShouldBe(["terminal completed", "answered in-progress", "terminal completed", "answered in-progress"]);
    }

    [Fact]
    public async Task An_unheard_of_word_comes_before_the_end()
    {
        await Dial("0019");

        client.Rest().Select(Word).ShouldBe([" rerouted", "answered in-progress", "terminal completed"]);
    }

    [Fact]
    public async Task A_spoilt_callback_is_repeated_right()
    {
        await Dial("0020");

        var (spoilt, foreign, right) = client.Rest() is [_, var first, var second, var third] ? (first, second, third) : throw new InvalidOperationException();
        right.Body.Length.ShouldBeGreaterThan(spoilt.Body.Length);
        spoilt.ContentType!.ShouldStartWith("multipart/form-data");
        spoilt.Body.ShouldNotEndWith("--\r\n");
        foreign.ContentType.ShouldBe("application/x-www-form-urlencoded");
        Word(right).ShouldBe("terminal completed");
        Word(foreign).ShouldBe("terminal completed");
    }

    [Fact]
    public async Task The_flow_of_an_answered_call_asks_its_Passthru()
    {
        await using var asking = await Start("asking", voiceUrl: new Uri(client.Url));
        await asking.Connect("0001", ("CustomField", "ours"));
        await asking.Server.Quiet();

        var heard = client.Rest().ShouldHaveSingleItem();
        heard.Method.ShouldBe("GET");
        (heard.Field("Direction"), heard.Field("CustomField"), heard.Field("call")).ShouldBe(("outbound-dial", "ours", "1"));
    }

    [Theory]
    [InlineData("completed", "completed", 3)]
    [InlineData("incomplete", "incomplete", 3)]
    [InlineData("client-hangup", "client-hangup", 2)]
    [InlineData("voicemail", "voicemail", 2)]
    [InlineData("stream", "call-attempt", 2)]
    public async Task An_inbound_call_passes_its_applets(string ending, string callType, int steps)
    {
        var said = new List<string>();
        var url = new Uri(new Uri(client.Url), "/");

        (await new InboundStory("+919900000055", "+918047110000", ending, 100_000, said.Add).Play(url, "secret", Cancellation)).ShouldBeTrue();

        var heard = client.Rest();
        heard.Count.ShouldBe(steps);
        heard.ShouldAllBe(request => request.Method == "GET" && request.Field("token") == "secret" && request.Field("CallFrom") == "09900000055");
        heard.Select(request => request.Field("CallSid")).Distinct().Count().ShouldBe(1);
        heard[^1].Field("CallType").ShouldBe(callType);
        said.ShouldAllBe(line => !line.Contains("secret") && !line.Contains("9900000055"));
    }

    [Fact]
    public async Task An_applet_that_redirects_has_not_taken_the_call()
    {
        client.Answers(302);
        var url = new Uri(new Uri(client.Url), "/");

        (await new InboundStory("+919900000055", "+918047110000", "client-hangup", 100_000, _ => { }).Play(url, "secret", Cancellation)).ShouldBeFalse();
    }

    private async Task<(HttpStatusCode Status, string Body)> Dial(string script, params (string, string?)[] more)
    {
        var answer = await exotel.Connect(script, [
            ("StatusCallback", client.Url), ("StatusCallbackEvents[0]", "terminal"), ("StatusCallbackEvents[1]", "answered"), ("CustomField", "ours"), .. more,
        ]);
        await exotel.Server.Quiet();
        return answer;
    }

    private Task<PlayedExotel> Start(string ledger, TimeSpan? webhookTimeout = null, Uri? voiceUrl = null) =>
        PlayedExotel.Start(Path.Combine(directory.Path, $"{ledger}.jsonl"), 100_000, webhookTimeout: webhookTimeout, voiceUrl: voiceUrl);

    private static string Word(HeardRequest request) => $"{request.Field("EventType")} {request.Field("Status")}";

    // The ledger in a few words a line.
    private string[] Told() =>
    [
        .. exotel.Ledger().Skip(1).Select(line => line.Kind switch
        {
            LedgerKind.Dial => "dial",
            LedgerKind.End => $"end {line.Status}",
            LedgerKind.Callback => $"callback {line.Event} {line.Status}",
            _ => $"{line.Kind} {line.HttpStatus}",
        }),
    ];
}
