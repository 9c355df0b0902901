using System.Net.Http.Headers;
using System.Text.Json;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Lifecycle;

namespace CallOrchestration.Simulator.Storm;

/// <summary>Plays the storms that were asked for, one after the other, up to the exit code.</summary>
internal sealed class StormRun(StormOptions options, StormScreen screen)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static async Task<int> Play(StormOptions options, CancellationToken cancellation)
    {
        // The command line listens for Ctrl-C only once this has returned to it, and what is started from here on must be stopped again.
        await Task.Yield();
        var screen = new StormScreen(Screen.ForOutput().Console, options);
        var results = new List<StormResult>();
        try
        {
            await new StormRun(options, screen).Play(results, cancellation);
        }
        catch (CannotPlay wrong)
        {
            await Console.Error.WriteLineAsync(wrong.Message);
            return ExitCode.SomethingFailed;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("Interrupted. Hosts and PostgreSQL are stopped.");
            return ExitCode.Interrupted;
        }

        screen.Sum(results);
        if (options.Report is { } file) await StormReport.Write(file, options, results);
        return results.All(result => result.Held && result.IsValid) ? ExitCode.AllHeld : ExitCode.SomethingFailed;
    }

    private async Task Play(List<StormResult> results, CancellationToken cancellation)
    {
        screen.Say("Making a database…");
        await using var ground = await StormGround.Prepare(options, cancellation);
        if (options.Soak)
        {
            var first = StormPlan.Draw(options, options.Seed);
            await using var stage = await StormStage.Build(ground, options, first, cancellation);
            var known = new HashSet<Guid>();
            for (var seed = options.Seed; GoesOn(seed, results); seed++)
            {
                var warm = results.Count > 0 ? results[0].After : null;
                results.Add(await Play(stage, StormPlan.Draw(options, seed), known, warm, last: seed == options.Seed + options.Seeds - 1, cancellation));
            }
        }
        else
        {
            for (var seed = options.Seed; GoesOn(seed, results); seed++)
            {
                var plan = StormPlan.Draw(options, seed);
                await using var stage = await StormStage.Build(ground, options, plan, cancellation);
                results.Add(await Play(stage, plan, [], warm: null, last: true, cancellation));
            }
        }
    }

    private bool GoesOn(int seed, List<StormResult> results) =>
        seed < options.Seed + options.Seeds && !(options.UntilBroken && results.Any(result => !result.Held));

    /// <param name="stage">Up and ready.</param>
    /// <param name="plan">What is played.</param>
    /// <param name="known">Calls of earlier storms on the same stage; those of this one are added.</param>
    /// <param name="warm">What the hosts held after the first storm on this stage.</param>
    /// <param name="last">The hosts are stopped, and must end well.</param>
    /// <param name="cancellation">Breaks off.</param>
    private async Task<StormResult> Play(StormStage stage, StormPlan plan, HashSet<Guid> known, IReadOnlyList<AtRest>? warm, bool last, CancellationToken cancellation)
    {
        var before = warm ?? RestInvariants.Measure(stage.Hosts);
        var strikes = new Strikes { Said = screen.Struck };
        var round = new StormRound(plan, stage, options, strikes);
        await screen.Watch(round, stage, round.Play(cancellation));

        var violations = (await RestInvariants.Check(stage, round, before, warm is not null, cancellation)).ToList();
        var after = RestInvariants.Measure(stage.Hosts);
        var (listed, unlisted) = await List(stage, known, cancellation);
        violations.AddRange(unlisted);
        var evidence = await Evidence.Collect(round, stage, listed, known, cancellation);
        if (last) violations.AddRange(await Stop(stage));
        stage.Ground.KeepLog(stage.Directory);
        violations.AddRange(DialInvariants.Check(evidence));
        violations.AddRange(EndInvariants.Check(evidence));
        violations.AddRange(RowInvariants.Check(evidence));
        violations.AddRange(RestInvariants.CheckLogs(stage, round));
        known.UnionWith(evidence.Calls.SelectMany(call => call.Rows).Concat(evidence.Strays).Select(row => row.Id));

        var result = StormResult.Of(evidence, violations, before, after);
        screen.Tell(result);
        return result;
    }

    private static async Task<IEnumerable<Violation>> Stop(StormStage stage)
    {
        var stopped = await Task.WhenAll(stage.Hosts.Select(async host => (host.Number, Code: await host.Stop())));
        return stopped.Where(host => host.Code is not (null or 0)).Select(host => new Violation(Invariant.BackAtRest, $"host {host.Number} ended with {host.Code} when it was asked to stop"));
    }

    // Each organization's own list, as its API key shows it. A host that gives none, with nothing to do, has not come through the storm.
    private static async Task<(IReadOnlyDictionary<Guid, IReadOnlyList<Guid>> Listed, IReadOnlyList<Violation> Unlisted)> List(
        StormStage stage, HashSet<Guid> known, CancellationToken cancellation)
    {
        using var http = new HttpClient(new Balancer(stage.Hosts)) { BaseAddress = new("http://hosts.invalid/"), Timeout = Patience };
        var lists = new Dictionary<Guid, IReadOnlyList<Guid>>();
        var unlisted = new List<Violation>();
        foreach (var organization in stage.Organizations)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", organization.ApiKey);
            try
            {
                lists[organization.Id] = await Listed(http, known, cancellation);
            }
            catch (Exception silent) when (silent is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                unlisted.Add(new(Invariant.BackAtRest, $"the list of organization {organization.Id} could not be read: {silent.Message}"));
            }
        }

        return (lists, unlisted);
    }

    private static async Task<IReadOnlyList<Guid>> Listed(HttpClient http, HashSet<Guid> known, CancellationToken cancellation)
    {
        var ids = new List<Guid>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = JsonSerializer.Deserialize<CallPage>(await http.GetStringAsync($"api/calls?limit=200{(cursor.Length > 0 ? "&cursor=" : "")}{cursor}", cancellation), ApiReply.SnakeCase)!;
            ids.AddRange(page.Items.Select(call => call.Id).Where(id => !known.Contains(id)));
            cursor = page.NextCursor;
        }

        return ids;
    }
}
