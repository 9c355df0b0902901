using System.Net;
using System.Net.Sockets;
using System.Text;
using CallOrchestration.Simulator.Provider;
using CallOrchestration.Tests;

namespace CallOrchestration.Outbound.Tests;

public sealed class ExotelDialerTests(TestPostgres postgres, ExotelDialerTests.Account account) : IClassFixture<ExotelDialerTests.Account>
{
    /// <summary>A host that dials through the simulator's Exotel, which calls back. What the provider accepted stands in its ledger.</summary>
    public sealed class Account(TestPostgres postgres) : IAsyncLifetime
    {
        private readonly TestDirectory directory = new("exotel");

        public TestHost Host { get; private set; } = null!;

        internal ExotelServer Exotel { get; private set; } = null!;

        internal IReadOnlyList<LedgerEntry> DialsOf(Guid call) =>
            [.. Ledger.Read(LedgerFile).Where(entry => entry.Kind == LedgerKind.Dial && entry.CustomField == call.ToString())];

        internal LedgerEntry? EndOf(Guid call) =>
            Ledger.Read(LedgerFile).LastOrDefault(entry => entry.Kind == LedgerKind.End && DialsOf(call).Any(dial => dial.CallSid == entry.CallSid));

        private string LedgerFile => Path.Combine(directory.Path, "ledger.jsonl");

        public async ValueTask InitializeAsync()
        {
            Exotel = await ExotelServer.Start(
                new() { Port = 0, Seed = 7, Speed = 1000, CallsPerMinute = 100_000, Ledger = LedgerFile }, TestContext.Current.CancellationToken);
            Host = await StartHost(postgres, Exotel.Address);
        }

        public async ValueTask DisposeAsync()
        {
            await Host.DisposeAsync();
            await Exotel.DisposeAsync();
            directory.Dispose();
        }
    }

    /// <summary>
    /// Each script of the simulator, to its end: how the call ended, with how many dials at the provider, and what the dialler made of the
    /// answer. The watchdog asks where nothing came back.
    /// </summary>
    [Theory]
    [InlineData("0001", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0002", CallOutcome.NoAnswer, 2, "dial-accepted")]
    [InlineData("0003", CallOutcome.Busy, 1, "dial-accepted")]
    [InlineData("0004", CallOutcome.Failed, 1, "dial-accepted")]
    [InlineData("0005", CallOutcome.Completed, 2, "dial-accepted")]
    [InlineData("0006", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0007", CallOutcome.Completed, 1, "dial-unknown")]
    [InlineData("0008", CallOutcome.Completed, 1, "dial-unknown")]
    [InlineData("0009", CallOutcome.Completed, 1, "dial-throttled")]
    [InlineData("0010", CallOutcome.Failed, 0, "dial-refused")]
    [InlineData("0011", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0012", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0013", CallOutcome.Completed, 1, "dial-unknown")]
    [InlineData("0014", CallOutcome.Completed, 1, "dial-unknown")]
    [InlineData("0015", CallOutcome.Completed, 1, "dial-unknown")]
    [InlineData("0016", CallOutcome.Unknown, 0, "dial-unknown")]
    [InlineData("0017", CallOutcome.Unknown, 1, "dial-accepted")]
    [InlineData("0018", CallOutcome.Canceled, 1, "dial-accepted")]
    [InlineData("0019", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0020", CallOutcome.Completed, 1, "dial-accepted")]
    [InlineData("0021", CallOutcome.Failed, 0, "dial-refused")]
    public async Task Each_script_of_the_provider_ends_as_it_was_played(string script, string outcome, int dials, string firstAnswer)
    {
        var host = account.Host;
        host.Service<DialPause>().Works();
        var acme = await host.AddOrganization();

        var id = await acme.CreateOutbound($"+91990000{script}");
        await host.Trigger();
        await account.Exotel.Quiet();
        // Five times at the most the provider is asked, and then the call is given up.
        for (var round = 0; round < 6 && (await acme.Read(id)) is { Outcome: null } call; round++)
        {
            if (call.CallStatus == CallStatus.Pending) await acme.Patch(id, new { next_action_at = DateTimeOffset.UtcNow.AddMinutes(-1) });
            else await TimeIsUp(host, id);
            await host.EndOverdue();
            await host.Trigger();
            await account.Exotel.Quiet();
        }

        var ended = await acme.Read(id);
        (ended.CallStatus, ended.Outcome).ShouldBe((CallStatus.Completed, outcome), ended.Text);
        ended.Events.First(happened => happened.StartsWith("dial-", StringComparison.Ordinal)).ShouldBe(firstAnswer);
        account.DialsOf(id).Count.ShouldBe(dials);
        account.DialsOf(id).Select(dial => dial.Attempt).ShouldBe(Enumerable.Range(1, dials).Select(attempt => (int?)attempt));
        if (dials > 0 && outcome != CallOutcome.Unknown) account.EndOf(id)!.Status.ShouldBe(outcome);
        if (script == "0010") ended.Text.ShouldContain("do-not-disturb");
        (await RowSnapshot.Of(host.Rows, id, madeUpSids: true, anyOrder: true)).ShouldMatchApproved(match => match.WithDiscriminator(script).SubFolder("../../tests/snapshots").NoDiff());
    }

    [Fact]
    public async Task The_request_has_exactly_the_fields_that_the_provider_knows()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var sent = Receive();
        await using var host = await StartHost(postgres, new Uri($"http://{listener.LocalEndpoint}"), ("Dialer:Exotel:CallerId", ""));
        var acme = await host.AddOrganization();

        var id = await acme.CreateOutbound("+14155550100");
        await host.Trigger();

        var request = await sent;
        var form = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        request.ShouldStartWith("POST /v1/Accounts/demo/Calls/connect.json HTTP/1.1\r\n");
        request.ShouldContain($"Authorization: Basic {Convert.ToBase64String("demo-exotel-key:demo-exotel-token"u8)}\r\n");
        request.ShouldContain("Content-Type: application/x-www-form-urlencoded\r\n");
        var callback = form["StatusCallback"].ToString();
        callback.ShouldStartWith($"{host.Url.ToString().TrimEnd('/')}/webhooks/provider-event?call={id}&attempt=1&signature=");
        form.Where(field => field.Key != "StatusCallback").Select(field => $"{field.Key}={field.Value}").ShouldBe(
            [
                "From=+14155550100",
                // The organization's own ExoPhone, where the settings name none.
                "CallerId=08047110000",
                "Url=http://my.exotel.example/demo/exoml/start_voice/11754",
                "CallType=trans",
                $"CustomField={id}",
                "StatusCallbackEvents[0]=terminal",
                "StatusCallbackEvents[1]=answered",
            ],
            ignoreOrder: true);

        async Task<string> Receive()
        {
            using var client = await listener.AcceptTcpClientAsync();
            var text = new StringBuilder();
            var buffer = new byte[16 * 1024];
            while (!text.ToString().Contains("StatusCallbackEvents%5B1%5D=answered", StringComparison.Ordinal))
                text.Append(Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer)));
            return text.ToString();
        }
    }

    [Fact]
    public async Task A_dial_that_is_too_late_when_the_connection_is_there_sends_nothing_and_blames_nobody()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var received = Receive();
        await using var host = await StartHost(postgres, new Uri($"http://{listener.LocalEndpoint}"));
        var request = new DialRequest(Guid.CreateVersion7(), Guid.CreateVersion7(), 1, Acme.Phone, Acme.Customer, Acme.Phone, "signature") { MayLeave = () => false };

        var result = await host.Service<IDialer>().Dial(request, TestContext.Current.CancellationToken);

        result.ShouldBe(DialResult.NotSent.TooLate);
        (await received).ShouldBe(0, "bytes");
        for (var more = 0; more < 10; more++) await host.Service<IDialer>().Dial(request, TestContext.Current.CancellationToken);
        host.Service<DialPause>().Room.ShouldBe(int.MaxValue);

        async Task<int> Receive()
        {
            using var client = await listener.AcceptTcpClientAsync();
            return await client.GetStream().ReadAsync(new byte[1024]);
        }
    }

    [Fact]
    public void Look_ups_share_the_limit_of_requests_and_yield_to_dials()
    {
        using var exotel = new ExotelClient(new(new("http://127.0.0.1:9"), "demo", "key", "token", null, new("http://127.0.0.1:9"), new("http://127.0.0.1:9", null, null), 200));
        var dials = 0;
        for (; dials < 150; dials++) exotel.Acquire().IsAcquired.ShouldBeTrue();
        exotel.AcquireForLookUp().ShouldBeFalse("what is left is for dials");
        for (; dials < 200; dials++) exotel.Acquire().IsAcquired.ShouldBeTrue();

        var over = exotel.Acquire();

        over.IsAcquired.ShouldBeFalse();
        exotel.Room.ShouldBe(0);
    }

    [Fact]
    public async Task A_callback_before_the_answer_to_connect_finds_its_call_two_hundred_times()
    {
        const int Calls = 200;
        await using var host = await StartHost(postgres, account.Exotel.Address, ("Scheduler:BatchSize", "200"));
        var acme = await host.AddOrganization();
        var ids = new List<Guid>();
        for (var call = 0; call < Calls; call++) ids.Add(await acme.CreateOutbound("+919900000006"));

        for (var round = 0; round < 20 && await host.Trigger() > 0; round++)
        {
        }

        await account.Exotel.Quiet();

        foreach (var id in ids)
        {
            (await acme.Read(id)).Outcome.ShouldBe(CallOutcome.Completed);
            account.DialsOf(id).Count.ShouldBe(1);
        }
    }

    [Fact]
    public async Task A_connection_that_breaks_under_a_dial_is_not_dialled_again_by_any_layer()
    {
        // Answers one request and stays open, as a keep-alive connection does; reads the next and hangs up.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var requests = 0;
        var serving = Serve();
        await using var host = await StartHost(postgres, new Uri($"http://{listener.LocalEndpoint}"));
        var acme = await host.AddOrganization();

        for (var call = 0; call < 4; call++)
        {
            await acme.CreateOutbound();
            await host.Trigger();
        }

        listener.Stop();
        await serving;
        requests.ShouldBe(4);

        async Task Serve()
        {
            try
            {
                while (true) await Answer(await listener.AcceptTcpClientAsync());
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // The listener was stopped.
            }
        }

        async Task Answer(TcpClient client)
        {
            using var connection = client;
            var stream = client.GetStream();
            var buffer = new byte[16 * 1024];
            var read = await stream.ReadAsync(buffer);
            if (read == 0) return;
            requests++;
            if (requests % 2 == 0) return;
            var body = $$$"""{"Call":{"Sid":"kept{{{requests}}}"}}""";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: keep-alive\r\n\r\n{body}"));
            // Whatever comes on the same connection is a request too, and gets no answer.
            if (await stream.ReadAsync(buffer) > 0) requests++;
        }
    }

    [Fact]
    public async Task A_provider_out_of_reach_gets_the_call_back_to_PENDING_and_after_some_of_them_nothing_is_claimed()
    {
        await using var host = await StartHost(postgres, new Uri("http://127.0.0.1:9"));
        var acme = await host.AddOrganization();
        for (var call = 0; call < 2 * DialPause.FailuresToPause; call++) await acme.CreateOutbound();
        (await acme.Get("/api/calls/summary")).Body["dialing_paused"].ShouldBeNull();

        await host.Trigger();
        var late = await acme.CreateOutbound();
        (await host.Trigger()).ShouldBe(0, "the circuit is open");

        (await acme.Read(late)).CallStatus.ShouldBe(CallStatus.Pending);
        var summary = await acme.Get("/api/calls/summary");
        ((string?)summary.Body["dialing_paused"]).ShouldBe("no connection (ConnectionError)");
        ((long)summary.Body["by_status"]![CallStatus.Pending]!).ShouldBe(2 * DialPause.FailuresToPause + 1);
        ((string?)(await acme.Get("/health/ready")).ShouldBeOk().Body["dialing_paused"]).ShouldBe("no connection (ConnectionError)");
        // A probe that goes through closes it.
        host.Service<DialPause>().Works();
        (await host.Trigger()).ShouldBe(1);
    }

    [Theory]
    [InlineData(200, """{"Call":{"Sid":"a1"}}""", typeof(DialResult.Accepted))]
    [InlineData(200, "<TwilioResponse><Call><Sid>a1</Sid></Call></TwilioResponse>", typeof(DialResult.Accepted))]
    [InlineData(200, """{"Call":{"Sid":"a1"},"RestException":{"Status":500,"Message":"no"}}""", typeof(DialResult.Unknown))]
    [InlineData(200, """{"RestException":{"Status":400,"Message":"no"}}""", typeof(DialResult.Unknown))]
    [InlineData(200, """{"Call":{"Sid":""}}""", typeof(DialResult.Unknown))]
    [InlineData(200, """{"Call":{"S""", typeof(DialResult.Unknown))]
    [InlineData(200, "", typeof(DialResult.Unknown))]
    [InlineData(200, "[]", typeof(DialResult.Unknown))]
    [InlineData(202, """{"Call":{"Sid":"a1"}}""", typeof(DialResult.Unknown))]
    [InlineData(302, "", typeof(DialResult.Unknown))]
    [InlineData(400, "no", typeof(DialResult.Refused))]
    [InlineData(401, "", typeof(DialResult.Refused))]
    [InlineData(403, "<TwilioResponse><RestException><Status>403</Status><Message>TRAI NDNC</Message></RestException></TwilioResponse>", typeof(DialResult.Refused))]
    [InlineData(404, "", typeof(DialResult.Refused))]
    [InlineData(429, "", typeof(DialResult.NotSent))]
    [InlineData(500, """{"Call":{"Sid":"a1"}}""", typeof(DialResult.Unknown))]
    [InlineData(503, "", typeof(DialResult.Unknown))]
    public void What_an_answer_means(int status, string body, Type means) =>
        ExotelDialer.Understand(new((HttpStatusCode)status, null, ExotelAnswer.Parse(body)), DateTimeOffset.UnixEpoch).ShouldBeOfType(means);

    [Fact]
    public void A_429_waits_as_long_as_it_says_and_a_minute_where_it_says_nothing()
    {
        var now = DateTimeOffset.UnixEpoch;
        Wait(new(TimeSpan.FromSeconds(7))).ShouldBe(TimeSpan.FromSeconds(7));
        Wait(new(now.AddSeconds(9))).ShouldBe(TimeSpan.FromSeconds(9));
        Wait(new(now.AddSeconds(-9))).ShouldBe(TimeSpan.FromMinutes(1));
        Wait(null).ShouldBe(TimeSpan.FromMinutes(1));

        TimeSpan? Wait(System.Net.Http.Headers.RetryConditionHeaderValue? header) =>
            ((DialResult.NotSent)ExotelDialer.Understand(new(HttpStatusCode.TooManyRequests, header, null), now)).RetryAfter;
    }

    [Fact]
    public async Task A_call_says_itself_what_its_customer_is_connected_with()
    {
        var acme = await account.Host.AddOrganization();

        var created = await acme.Post("/api/calls/outbound", new { from = Acme.Phone, to = "+919900000001", connect = new { number = "+918047110009" } });
        account.Host.Service<DialPause>().Works();
        await account.Host.Trigger();
        await account.Exotel.Quiet();

        ((string?)created.Body["connect"]!["number"]).ShouldBe("+918047110009");
        account.DialsOf(created.Id).ShouldHaveSingleItem().To.ShouldNotBeNull().ShouldEndWith("8047110009");
        (await acme.Read(created.Id)).Events.Count(happened => happened == "answered").ShouldBe(2, "two legs");
    }

    [Theory]
    [InlineData("""{}""", "connect")]
    [InlineData("""{"flow_url":"http://a.example/1","number":"+919900000001"}""", "connect")]
    [InlineData("""{"number":"0123"}""", "connect.number")]
    [InlineData("""{"flow_url":"ftp://a.example"}""", "connect.flow_url")]
    [InlineData("""{"stream_url":"https://a.example"}""", "connect.stream_url")]
    [InlineData("""{"url":"https://a.example"}""", "connect")]
    [InlineData("7", "connect")]
    public async Task A_connection_that_makes_no_sense_is_refused(string connect, string field)
    {
        var acme = await account.Host.AddOrganization();

        (await acme.Post("/api/calls/outbound", $$"""{"from":"{{Acme.Phone}}","to":"{{Acme.Customer}}","connect":{{connect}}}"""))
            .ShouldBeProblem(HttpStatusCode.BadRequest, field);
    }

    [Fact]
    public async Task No_credential_and_no_number_is_logged()
    {
        await using var host = await StartHost(postgres, account.Exotel.Address);
        var acme = await host.AddOrganization();
        foreach (var script in (string[])["0001", "0007", "0008", "0010", "0013", "0015", "0017"]) await acme.CreateOutbound($"+91990000{script}");
        await host.Trigger();
        await account.Exotel.Quiet();

        host.Log.Lines.ShouldNotBeEmpty();
        foreach (var line in host.Log.Lines)
        {
            foreach (var secret in (string[])["demo-exotel", Convert.ToBase64String("demo-exotel-key:demo-exotel-token"u8), "990000", "8047110000", "signature="])
                line.ShouldNotContain(secret);
        }
    }

    internal static async Task<TestHost> StartHost(TestPostgres postgres, Uri exotel, params (string, string)[] settings)
    {
        // The callback URL holds the host's own address, so it must be known before the host starts.
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var url = $"http://{probe.LocalEndpoint}";
        probe.Stop();
        return await TestHost.Start(
            postgres,
            null,
            null,
            [
                ("urls", url),
                ("Dialer:Provider", "Exotel"),
                ("Dialer:Exotel:BaseUrl", exotel.ToString()),
                ("Dialer:Exotel:AccountSid", "demo"),
                ("Dialer:Exotel:ApiKey", "demo-exotel-key"),
                ("Dialer:Exotel:ApiToken", "demo-exotel-token"),
                ("Dialer:Exotel:CallerId", "+918047110000"),
                ("Dialer:Exotel:PublicUrl", url),
                ("Dialer:Exotel:FlowUrl", "http://my.exotel.example/demo/exoml/start_voice/11754"),
                ("Retry:Delay", "00:00:00"),
                ("Watchdog:AnswerTimeout", "00:00:04"),
                .. settings,
            ]);
    }

    internal static async Task TimeIsUp(TestHost host, Guid id)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("update calls set next_action_at = now() where id = @id and status = 'IN_PROGRESS'", new { id });
    }
}
