using System.Text.Json;
using Quartz;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>What Quartz.NET is told; null: its own default.</summary>
/// <param name="MaxConcurrency">Jobs that run at once, and, since its batches are as large as that, triggers acquired at once.</param>
internal sealed record QuartzSettings(int? MaxConcurrency = null);

/// <summary>Quartz.NET as a scheduler of dials: one durable job, and a trigger for each dial. Clustered, on PostgreSQL.</summary>
internal static class QuartzChild
{
    public const string Command = "quartz-under-measurement";

    private const int DefaultConcurrency = 10;
    private const int TriggersInATransaction = 5000;
    private static readonly JobKey Dial = new("dial");

    private static readonly StartRecorder Recorder = new();

    /// <param name="what"><c>prepare</c> makes its schema, <c>fill</c> adds triggers, <c>run</c> works.</param>
    public static async Task<int> Run(string what)
    {
        var order = JsonSerializer.Deserialize<Order>(Environment.GetEnvironmentVariable("BENCHMARK_SETTINGS")!)!;
        await using var factory = Build(order);
        var scheduler = await factory.GetScheduler();
        switch (what)
        {
            case "prepare":
                // Its schema is made when the scheduler starts.
                await scheduler.Start();
                await scheduler.AddJob(JobBuilder.Create<DialJob>().WithIdentity(Dial).StoreDurably().Build());
                break;
            case "fill":
                await Fill(scheduler, order.Rows!);
                break;
            default:
                await scheduler.Start();
                await Recorder.Serve();
                await scheduler.Shutdown(waitForJobsToComplete: true);
                Recorder.TellStarts();
                break;
        }

        return 0;
    }

    /// <param name="ConnectionString">Of the database.</param>
    /// <param name="Settings">Quartz's own.</param>
    /// <param name="Rows">What to fill in.</param>
    internal sealed record Order(string ConnectionString, QuartzSettings Settings, Rows? Rows);

    internal sealed class DialJob : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
        {
            Recorder.Started(long.Parse(context.Trigger.Key.Name, CultureInfo.InvariantCulture), context.RefireCount + 1);
            context.Result = Guid.NewGuid().ToString("N");
            return default;
        }
    }

    private static StandaloneSchedulerFactory Build(Order order)
    {
        var concurrency = order.Settings.MaxConcurrency ?? DefaultConcurrency;
        // The pool is the threads and three more, as its documentation asks for.
        var connectionString = new NpgsqlConnectionStringBuilder(order.ConnectionString) { Pooling = true, MaxPoolSize = concurrency + 3 }.ConnectionString;
        return QuartzSchedulerBuilder.Create(quartz => quartz
            .ConfigureScheduler(scheduler =>
            {
                scheduler.InstanceName = "dials";
                scheduler.GenerateInstanceId = true;
            })
            .UseDefaultThreadPool(concurrency)
            .UsePersistentStore(store =>
            {
                store.UsePostgres(NpgsqlFactory.Instance, connectionString);
                store.UseClustering(_ => { });
                store.ProvisionSchema();
            })).Build();
    }

    private static async Task Fill(IScheduler scheduler, Rows rows)
    {
        var job = JobBuilder.Create<DialJob>().WithIdentity(Dial).StoreDurably().Build();
        foreach (var numbers in Enumerable.Range(0, rows.Count).Chunk(TriggersInATransaction))
        {
            List<ITrigger> triggers = [.. numbers.Select(number => TriggerBuilder.Create()
                .WithIdentity((rows.First + number).ToString(CultureInfo.InvariantCulture))
                .ForJob(Dial)
                .StartAt(rows.Due + number * rows.Step)
                .Build())];
            await scheduler.ScheduleJobs(
                new Dictionary<IJobDetail, IReadOnlyCollection<ITrigger>> { [job] = triggers }, new ScheduleJobOptions { Replace = true });
        }
    }
}
