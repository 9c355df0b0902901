using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Lifecycle;
using CallOrchestration.Simulator.Provider;

namespace CallOrchestration.Tests;

/// <summary>The simulator's process with both of its sides: the fake Exotel, and a host that it starts and stops.</summary>
public sealed class LifecycleExotelTests
{
    private static readonly Guid Call = Guid.Parse("01900000-0000-7000-8000-000000000005");

    [Fact]
    public async Task Every_script_of_the_provider_is_played_over_http_and_proved_by_its_ledger()
    {
        using var directory = new TestDirectory("lifecycle-exotel");
        var (report, ledger) = (Path.Combine(directory.Path, "report.json"), Path.Combine(directory.Path, "ledger.jsonl"));

        // Its own place for what is temporary, so that whatever it leaves behind is found there.
        var ended = await SimulatorProgram.Run(
            directory, "lifecycle", "--provider", "exotel", "--speed", "200", "--seed", "42", "--report", report, "--ledger", ledger);

        ended.ExitCode.ShouldBe(0, ended.Output + ended.Error);
        var scripts = JsonNode.Parse(await File.ReadAllTextAsync(report, TestContext.Current.CancellationToken))!["scenarios"]!.AsArray();
        scripts.Select(script => ((string)script!["name"]!)[..4]).ShouldBe(Scripts.All.Select(script => script.Number));
        ended.Output.ShouldContain($"{Scripts.All.Count} of {Scripts.All.Count} scripts held");
        ended.Output.ShouldContain($"{Ledger.Read(ledger).Count(entry => entry.Kind == LedgerKind.Dial)} dials");
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }

    [Fact]
    public async Task An_interrupted_run_leaves_no_process_and_no_file()
    {
        using var directory = new TestDirectory("lifecycle-interrupted");
        using var simulator = Process.Start(SimulatorProgram.ToStart(directory, "lifecycle", "--provider", "exotel", "--speed", "200"))!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        try
        {
            // The first script that is over: host and database are there, and calls are under way.
            while (await simulator.StandardOutput.ReadLineAsync(limit.Token) is { } line && !line.Contains('✓'))
            {
            }

            await SimulatorProgram.Interrupt(simulator, limit.Token);
        }
        finally
        {
            if (!simulator.HasExited) simulator.Kill(entireProcessTree: true);
        }

        simulator.ExitCode.ShouldBe(130, await simulator.StandardError.ReadToEndAsync(limit.Token));
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }

    [Theory]
    [InlineData(2, "lifecycle", "--provider", "twilio")]
    [InlineData(2, "lifecycle", "--exotel-port", "5091")]
    [InlineData(1, "lifecycle", "--provider", "exotel", "--exotel-port", "0", "--url", "http://127.0.0.1:9")]
    public async Task What_cannot_be_played_is_said_in_a_sentence(int exitCode, params string[] arguments)
    {
        using var directory = new TestDirectory("lifecycle-exotel");

        var ended = await SimulatorProgram.Run(directory, arguments);

        ended.ExitCode.ShouldBe(exitCode, ended.Output + ended.Error);
        ended.Error.Trim().ShouldNotBeEmpty();
        ended.Error.ShouldNotContain("   at ");
        SimulatorProgram.ShouldHaveLeftNothing(directory);
    }

    [Fact]
    public void A_ledger_that_was_played_agrees_with_its_call() => LedgerCheck.Of(Played(), [Row()], []).ShouldBeEmpty();

    public static TheoryData<string, string> Doctored => new()
    {
        { "a second dial of an attempt", "attempt 2 dialled at most once" },
        { "a dial without a row", "no dial without a row" },
        { "a dial without a CustomField", "no dial without a row" },
        { "another number", "+919000000005 dialled" },
        { "another ending", "played to the outcome busy" },
        { "no retry", "at most once" },
        { "an answered callback more", "'completed' of attempt 2, taken 2 times" },
        { "a callback turned away", "200 to the callback 'completed' of attempt 2" },
        { "a request without a claim", "one request for each of 1 dials of attempt 2" },
    };

    [Theory]
    [MemberData(nameof(Doctored))]
    public void A_doctored_ledger_is_found_out(string how, string expected)
    {
        var ledger = Played();
        var (dial, end, told) = (ledger[4], ledger[6], ledger[^1]);
        switch (how)
        {
            case "a second dial of an attempt": ledger.Add(dial with { CallSid = "third" }); break;
            case "a dial without a row": ledger.Add(dial with { CustomField = Guid.NewGuid().ToString() }); break;
            case "a dial without a CustomField": ledger.Add(dial with { CustomField = null }); break;
            case "another number": ledger[4] = dial with { From = "+919000000099" }; break;
            case "another ending": ledger[6] = end with { Status = "busy" }; break;
            case "no retry": ledger[4] = dial with { Attempt = 1 }; break;
            case "an answered callback more": ledger.Add(told); break;
            case "a callback turned away": ledger[^1] = told with { HttpStatus = 401 }; break;
            case "a request without a claim": ledger.Add(dial with { Kind = LedgerKind.Refused, HttpStatus = 429 }); break;
        }

        LedgerCheck.Of(ledger, [Row()], []).Select(found => found.Problem.Expected).ShouldContain(found => found.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void A_claim_without_its_answer_and_a_dial_after_one_that_may_have_rung_are_found_in_the_history()
    {
        var entries = Row().History!;
        Expected([.. entries.Where(entry => entry is not { Event: "dial-accepted", Attempt: 2 })]).ShouldContain("history: a dial-… for each of 1 claims of attempt 2");
        Expected([.. entries, .. entries.Where(entry => entry is { Source: "scheduler", Attempt: 2 })])
            .ShouldContain("history: no dial of attempt 2 after one that may have rung");

        static IEnumerable<string> Expected(IReadOnlyList<HistoryEntry> history) =>
            LedgerCheck.Of(Played(), [Row() with { History = history }], []).Select(found => found.Problem.Expected);
    }

    [Fact]
    public void What_looks_like_a_failure_of_the_account_is_never_dialled_twice_in_a_row()
    {
        var turns = ScriptScenario.Turns(Scripts.All);

        turns.ShouldBe(Scripts.All, ignoreOrder: true);
        string[] failing = ["0007", "0008", "0009", "0013", "0014", "0015", "0016"];
        turns.Zip(turns.Skip(1)).ShouldAllBe(pair => !failing.Contains(pair.First.Number) || !failing.Contains(pair.Second.Number));
    }

    /// <summary>What script 0005 leaves in the ledger: rings out, then answers.</summary>
    private static List<LedgerEntry> Played()
    {
        return
        [
            new() { Kind = LedgerKind.Start },
            Entry(LedgerKind.Dial, 1) with { From = "+919000000005", HttpStatus = 200 },
            Entry(LedgerKind.End, 1) with { Status = "no-answer" },
            Entry(LedgerKind.CallbackAnswer, 1) with { Event = "terminal", Status = "no-answer", HttpStatus = 200 },
            Entry(LedgerKind.Dial, 2) with { From = "+919000000005", HttpStatus = 200 },
            Entry(LedgerKind.CallbackAnswer, 2) with { Event = "answered", Status = "in-progress", HttpStatus = 200 },
            Entry(LedgerKind.End, 2) with { Status = "completed" },
            Entry(LedgerKind.CallbackAnswer, 2) with { Event = "terminal", Status = "completed", HttpStatus = 200 },
        ];

        static LedgerEntry Entry(string kind, int attempt) =>
            new() { Kind = kind, CallSid = $"sid{attempt}", CustomField = Call.ToString(), Attempt = attempt, Script = "second-attempt" };
    }

    private static CallView Row() => JsonSerializer.Deserialize<CallView>(
        $$"""
        {
          "id": "{{Call}}", "direction": "OUTBOUND", "status": "COMPLETED", "outcome": "completed", "to": "+919000000005",
          "retries": 1, "provider_call_id": "sid2",
          "history": [
            {"event": "claimed", "source": "scheduler", "attempt": 1, "status": "IN_PROGRESS"},
            {"event": "dial-accepted", "source": "scheduler", "attempt": 1, "status": "IN_PROGRESS"},
            {"event": "no-answer", "source": "provider", "attempt": 1, "status": "PENDING"},
            {"event": "claimed", "source": "scheduler", "attempt": 2, "status": "IN_PROGRESS"},
            {"event": "dial-accepted", "source": "scheduler", "attempt": 2, "status": "IN_PROGRESS"},
            {"event": "answered", "source": "provider", "attempt": 2, "status": "IN_PROGRESS"},
            {"event": "completed", "source": "provider", "attempt": 2, "status": "COMPLETED"}
          ]
        }
        """,
        ApiReply.SnakeCase)!;
}
