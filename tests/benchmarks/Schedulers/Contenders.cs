namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>
/// The product and its peers, each as it comes and as its documentation, or a trial, found it best. Which options were tried is said where the
/// choice is not the documentation's.
/// </summary>
internal static class Contenders
{
    public static readonly Scheduler Product = new ProductScheduler();

    /// <summary>As its page on performance has it.</summary>
    public static readonly Scheduler GraphileBatched = new NodeScheduler(
        "graphile-worker, batched",
        "graphile-worker",
        """{"worker": {"concurrentJobs": 24, "maxPoolSize": 25, "localQueue": {"size": 500}, "completeJobBatchDelay": 0, "failJobBatchDelay": 0}}""",
        GraphileUnfinishedSql);

    /// <summary>For lateness: polls as often as makes it faster.</summary>
    public static readonly Scheduler GraphilePrompt = new NodeScheduler(
        "graphile-worker, prompt",
        "graphile-worker",
        """
        {"worker": {"concurrentJobs": 24, "maxPoolSize": 25, "pollInterval": 20, "localQueue": {"size": 500}, "completeJobBatchDelay": 0, "failJobBatchDelay": 0}}
        """,
        GraphileUnfinishedSql);

    public static readonly Scheduler GraphileDefault = new NodeScheduler(
        "graphile-worker, default", "graphile-worker", """{"worker": {}}""", GraphileUnfinishedSql)
    {
        MostJobs = 10_000,
        WarmUpJobs = 2000,
    };

    public static readonly Scheduler PgBoss1000 = PgBossBatches(1000);

    public static readonly Scheduler PgBoss200 = PgBossBatches(200);

    /// <summary>One job each two seconds.</summary>
    public static readonly Scheduler PgBossDefault = new NodeScheduler("pg-boss, default", "pg-boss", """{"work": {}}""", PgBossUnfinishedSql)
    {
        MostJobs = 10,
        WarmUpJobs = 2,
    };

    public static readonly Scheduler QuartzBest = new QuartzScheduler(
        "Quartz.NET, 100 threads", new(MaxConcurrency: 100), "AdoJobStore, clustered, MaxConcurrency=100, MaxBatchSize automatic (100)")
    {
        MostJobs = 5000,
        WarmUpJobs = 200,
    };

    public static readonly Scheduler QuartzDefault = new QuartzScheduler(
        "Quartz.NET, default", new(), "AdoJobStore, clustered, MaxConcurrency=10, MaxBatchSize automatic (10)")
    {
        MostJobs = 2000,
        WarmUpJobs = 100,
    };

    private const string GraphileUnfinishedSql = "select count(*) from graphile_worker._private_jobs where run_at <= @until";

    private const string PgBossUnfinishedSql = "select count(*) from pgboss.job where name = 'dial' and state <> 'completed' and start_after <= @until";

    // Full batches are followed by the next one at once; neither priorities nor the order of creation are needed, which its documentation says is faster.
    private static NodeScheduler PgBossBatches(int size) => new(
        $"pg-boss, batches of {size}",
        "pg-boss",
        $$$"""
        {"work": {"batchSize": {{{size}}}, "burstWhenBatchFull": true, "pollingIntervalSeconds": 0.5, "priority": false, "orderByCreatedOn": false,
        "localConcurrency": 2}}
        """,
        PgBossUnfinishedSql);
}
