using System.Diagnostics;
using CallOrchestration.Simulator.Host;
using Npgsql;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>Plays every scenario at the same time, each on its own stage, and checks each when its story is told.</summary>
internal sealed class Performance(IReadOnlyList<Stage> stages, CancellationToken cancellation)
{
    public IReadOnlyList<Stage> Stages { get; } = stages;

    public async Task<IReadOnlyList<ScenarioResult>> Play(Action<ScenarioResult> ended) =>
        await Task.WhenAll(Stages.Select(async stage =>
        {
            var result = await Play(stage);
            ended(result);
            return result;
        }));

    private async Task<ScenarioResult> Play(Stage stage)
    {
        var watch = Stopwatch.StartNew();
        var found = new List<CallView>();
        var problems = new List<Problem>();

        // What comes after a broken story is not what was played, so only an unbroken one is checked to the end.
        var unbroken = await Try(problems, stage.Options, () => stage.Scenario.Play(stage));
        stage.Doing = "checks";
        await Try(unbroken ? problems : [], stage.Options, async () =>
        {
            foreach (var played in stage.Calls.Where(call => call.Id != Guid.Empty))
            {
                var call = await stage.Host.Get(played.Id, cancellation);
                found.Add(call);
                if (unbroken)
                {
                    problems.AddRange(EndChecks.OfApi(played, stage.Scenario.Ending, call));
                    problems.AddRange(await CheckRow(stage, played, call));
                }
            }
        });

        return new(stage, found, problems, watch.Elapsed);
    }

    private async Task<IEnumerable<Problem>> CheckRow(Stage stage, PlayedCall played, CallView call)
    {
        if (stage.Rows is not { } rows)
        {
            return [];
        }

        if (await rows.Find(played.Id, cancellation) is not { } row)
        {
            return [new($"row {played.Id}", "none: is --database the database of this host?")];
        }

        var problems = EndChecks.OfRow(played, call, row).ToList();
        foreach (var callSid in played.CallSids)
        {
            var calls = await rows.HowMany(callSid, cancellation);
            if (calls != 1)
            {
                problems.Add(new($"row: one call with CallSid {callSid}", $"{calls}"));
            }
        }

        return problems;
    }

    private async Task<bool> Try(List<Problem> problems, LifecycleOptions options, Func<Task> step)
    {
        try
        {
            await step();
            return true;
        }
        catch (ScenarioFailed failed)
        {
            problems.Add(new(failed.Expected, failed.Found));
        }
        catch (HttpRequestException away)
        {
            var how = away.HttpRequestError == HttpRequestError.ResponseEnded ? "the connection was cut" : away.Message;
            problems.Add(new("an answer from the host", how));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            problems.Add(new($"an answer from the host within {options.Patience.TotalSeconds:0.#} s", "none"));
        }
        catch (NpgsqlException away)
        {
            problems.Add(new("an answer from the database", away.Message));
        }

        catch (Exception surprise) when (surprise is not OperationCanceledException)
        {
            // A mistake of the simulator's own must not take the other scenarios down with it.
            problems.Add(new("no mistake in the simulator", $"{surprise.GetType().Name}: {surprise.Message}"));
        }

        return false;
    }
}
