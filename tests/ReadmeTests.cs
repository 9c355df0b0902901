using System.Diagnostics;
using System.Text.RegularExpressions;

namespace CallOrchestration.Tests;

public sealed partial class ReadmeTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task Every_curl_of_the_readme_runs_as_it_is_written()
    {
        await using (var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken)) await Organizations.AddDemo(connection);
        var blocks = BashBlock().Matches(await File.ReadAllTextAsync(Path.Combine(Sources.Root, "README.md"), TestContext.Current.CancellationToken));
        var script = string.Join('\n', blocks.Select(block => block.Groups["script"].Value));
        Regex.Count(script, "curl ").ShouldBeGreaterThanOrEqualTo(16);
        foreach (var route in (string[])["/api/calls/outbound", "/api/calls ", "/api/calls?", "/api/calls/summary", "/api/calls/$", "-X PATCH", "/webhooks/inbound", "/webhooks/provider-event", "/health/live", "/health/ready", "/openapi"])
            script.ShouldContain(route);

        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", script.Replace("http://localhost:5080", host.Url.ToString().TrimEnd('/'), StringComparison.Ordinal)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var bash = Process.Start(start)!;
        var said = string.Concat(await Task.WhenAll(
            bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), bash.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken)));
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);

        bash.ExitCode.ShouldBe(0, said);
    }

    [GeneratedRegex("^```bash\n(?<script>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex BashBlock();
}
