using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>The whole thing as a person runs it: the host's process with its private PostgreSQL, and the simulator's process against it.</summary>
public sealed partial class LifecycleTests(TestPostgres postgres)
{
    private const int Seed = 42;

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Every_life_of_a_call_is_played_and_proved()
    {
        using var directory = new TestDirectory("lifecycle");
        // What comes while a retry waits must come within its delay, on a busy machine too.
        await using var host = Start(directory, "Host", ["--urls", "http://127.0.0.1:0"], ("Retry__Delay", "00:00:04"), ("Logging__LogLevel__Default", "Trace"));
        var url = await host.Url();
        var connectionString = (await File.ReadAllTextAsync(Path.Combine(directory.Path, ".data", "connection-string"), TestContext.Current.CancellationToken)).Trim();
        var reportFile = Path.Combine(directory.Path, "report.json");

        await using var simulator = Start(
            directory, "Simulator", ["lifecycle", "--url", url, "--seed", $"{Seed}", "--speed", "50", "--database", ".data/connection-string", "--report", reportFile]);
        var (exitCode, played) = await simulator.End();

        exitCode.ShouldBe(0, played);
        played.ShouldContain($"seed {Seed}");
        var scenarios = JsonNode.Parse(await File.ReadAllTextAsync(reportFile, TestContext.Current.CancellationToken))!["scenarios"]!.AsArray();
        scenarios.Count.ShouldBeGreaterThanOrEqualTo(28);
        await using (var rows = NpgsqlDataSource.Create(connectionString))
        {
            var found = new Dictionary<string, string>();
            foreach (var scenario in scenarios)
            {
                var ids = scenario!["call_ids"]!.AsArray().Select(id => (Guid)id!);
                found[(string)scenario["name"]!] = string.Join("\n", await Task.WhenAll(ids.Select(id => RowSnapshot.Of(rows, id, madeUpSids: true))));
            }

            found.ShouldSatisfyAllConditions([.. found.Select(rows => (Action)(() =>
                rows.Value.ShouldMatchApproved(match => match.WithDiscriminator(rows.Key).SubFolder("snapshots").NoDiff())))]);
        }

        var (stopped, log) = await host.Stop();
        stopped.ShouldBe(0, log);
        File.Exists(Path.Combine(directory.Path, ".data", "postgres", "postmaster.pid")).ShouldBeFalse("PostgreSQL stops with its host");
        ShouldKeepSecrets(AfterBanner(log), scenarios.ToJsonString());
        var postgresLogs = Directory.GetFiles(Path.Combine(directory.Path, ".data"), "*log*", SearchOption.AllDirectories);
        postgresLogs.ShouldNotBeEmpty();
        foreach (var file in postgresLogs) ShouldKeepSecrets(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), "");
    }

    [Fact]
    public async Task A_simulator_without_a_host_says_so_in_a_sentence()
    {
        using var directory = new TestDirectory("no-host");
        await using var simulator = Start(directory, "Simulator", ["lifecycle", "--url", "http://127.0.0.1:9"]);

        var (exitCode, said) = await simulator.End();

        exitCode.ShouldBe(1, said);
        said.ShouldNotContain("   at ");
        said.Trim().Split('\n').Length.ShouldBeLessThan(5, said);
    }

    [Theory]
    [InlineData("fake", "http://127.0.0.1:9", "made-up numbers")]
    [InlineData("exotel", "http://api.exotel.invalid", "not on this machine")]
    public async Task Made_up_numbers_are_not_played_through_a_dialler_that_could_ring_them(string provider, string exotel, string says)
    {
        await using var host = await Outbound.Tests.ExotelDialerTests.StartHost(postgres, new Uri(exotel));
        var acme = await host.AddOrganization();
        using var directory = new TestDirectory("real-dialler");
        await using var simulator = Start(
            directory, "Simulator", ["lifecycle", "--provider", provider, "--url", host.Url.ToString(), "--key", acme.ApiKey, "--webhook-token", acme.WebhookToken]);

        var (exitCode, said) = await simulator.End();

        exitCode.ShouldBe(1, said);
        said.ShouldContain(says);
        (await acme.Get("/api/calls")).Body["items"]!.AsArray().ShouldBeEmpty();
    }

    private static Program Start(TestDirectory directory, string program, string[] arguments, params (string Name, string Value)[] environment)
    {
        // Each from its own output, as people run it: tests/bin/Release/net10.0 and, say, host/bin/Release/net10.0 are alike.
        var assembly = Path.GetFullPath(Path.Combine(
            AppContext.BaseDirectory,
            "../../../..",
            program.ToLowerInvariant(),
            Path.GetRelativePath(Path.Combine(AppContext.BaseDirectory, "../../.."), AppContext.BaseDirectory),
            $"CallOrchestration.{program}.dll"));
        var start = new ProcessStartInfo("dotnet", [assembly, .. arguments])
        {
            WorkingDirectory = directory.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new(Process.Start(start)!);
    }

    /// <summary>A process that ends with its test, however the test ends.</summary>
    private sealed class Program(Process process) : IAsyncDisposable
    {
        /// <summary>Reads the host's banner up to its address.</summary>
        public async Task<string> Url()
        {
            using var limit = new CancellationTokenSource(Longest);
            while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            {
                if (Address().Match(line) is { Success: true } found) return found.Value;
            }

            throw new InvalidOperationException("The host ended before it ran: " + await process.StandardError.ReadToEndAsync(limit.Token));
        }

        public async Task<(int ExitCode, string Said)> End()
        {
            using var limit = new CancellationTokenSource(Longest);
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, string.Concat(await output));
        }

        public async Task<(int ExitCode, string Said)> Stop()
        {
            using var kill = Process.Start("bash", ["-c", $"kill -TERM {process.Id}"]);
            return await End();
        }

        public async ValueTask DisposeAsync()
        {
            if (!process.HasExited) await Stop();
            process.Dispose();
        }
    }

    // The banner tells the demo organization's key, token and number, which everybody knows.
    private static string AfterBanner(string log) => log[(log.IndexOf(".data/connection-string", StringComparison.Ordinal) + 1)..];

    private static void ShouldKeepSecrets(string log, string report)
    {
        foreach (var secret in PhoneNumbers().Matches(report).Select(number => number.Value).Append("demo-key").Append("demo-token").Append("8047110000"))
            log.ShouldNotContain(secret);
        PhoneNumbers().Match(log).Value.ShouldBeEmpty();
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:[0-9]+(?=\s|$)")]
    private static partial Regex Address();

    // Indian mobile numbers, as the simulator makes them up, in any of their forms.
    [GeneratedRegex("(\\+91|\\b0)[6-9][0-9]{9}\\b")]
    private static partial Regex PhoneNumbers();
}
