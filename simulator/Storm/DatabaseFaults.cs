using System.Collections.Concurrent;
using System.Diagnostics;
using Dapper;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>Strikes at the database, and at what lies between it and the hosts, at the times of the plan.</summary>
internal sealed class DatabaseFaults(
    StormPlan plan, StormGround ground, string directory, string connectionString, IReadOnlyList<StormHost> hosts, IReadOnlyList<StormOrganization> organizations, Strikes strikes)
    : IDisposable
{
    // More than a pool has, so that some of them find it empty.
    private const int RequestsForAFullPool = 64;
    private const int RowsLocked = 20;
    private const int MostTries = 5;

    // A server that starts takes no connection, and a crash can come in between at any time.
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<int, PlannedFault> underWay = [];

    // One crash at a time: the server must be up to go down.
    private readonly SemaphoreSlim crashing = new(1);

    public void Dispose() => crashing.Dispose();

    /// <summary>Ends when each fault has struck or given up, and the last of what was held is let go. What has struck, or is about to, is left alone.</summary>
    public async Task Play(DateTimeOffset began, Task storm, CancellationToken cancellation) =>
        await Task.WhenAll(plan.Faults.Where(fault => fault.Failpoint is null && !strikes.HasStruck(fault) && underWay.TryAdd(fault.Number, fault)).ToList().Select(async fault =>
        {
            var wait = began + fault.At - DateTimeOffset.UtcNow;
            if (wait > TimeSpan.Zero) await Task.Delay(wait, cancellation);
            await (fault.Kind switch
            {
                FaultKind.DatabaseCrash => Crash(fault, cancellation),
                FaultKind.Terminate => Terminate(fault, cancellation),
                FaultKind.CutBeforeCommit => CutCommit(fault, after: false),
                FaultKind.CutAfterCommit => CutCommit(fault, after: true),
                FaultKind.PoolFull => FillPool(fault, cancellation),
                FaultKind.Lock => Lock(fault, cancellation),
                FaultKind.OldTransaction => KeepOpen(fault, storm, cancellation),
                _ => throw new UnreachableException(),
            });
            underWay.TryRemove(fault.Number, out _);
        }));

    private async Task Crash(PlannedFault fault, CancellationToken cancellation)
    {
        await crashing.WaitAsync(cancellation);
        try
        {
            await strikes.During(async () =>
            {
                await ground.Crash(directory);
                strikes.Strike(fault, "PostgreSQL");
                try
                {
                    await Task.Delay(fault.Lasts, cancellation);
                }
                finally
                {
                    await ground.Restart();
                }
            });
        }
        finally
        {
            crashing.Release();
        }
    }

    private async Task Terminate(PlannedFault fault, CancellationToken cancellation)
    {
        var ended = await Patiently(async connection => await connection.ExecuteScalarAsync<int>(TerminateSql, new { seed = fault.Draw % 1000 / 1000.0 }), ended => ended > 0, cancellation);
        if (ended > 0) strikes.Strike(fault, $"{ended} backends");
    }

    private async Task CutCommit(PlannedFault fault, bool after)
    {
        // A host that is down just then commits nothing.
        for (var tries = 0; tries < MostTries && !strikes.HasStruck(fault); tries++)
        {
            var host = Up(fault.Draw + tries);
            if (await host.Proxy.CutNextCommit(after, LongestWait / MostTries)) strikes.Strike(fault, $"host {host.Number}");
        }
    }

    private async Task FillPool(PlannedFault fault, CancellationToken cancellation)
    {
        // A host that is killed just then never has its pool full.
        for (var tries = 0; tries < MostTries && !strikes.HasStruck(fault); tries++) await FillPool(fault, Up(fault.Draw + tries), cancellation);
    }

    // Everything that the host asks of the database hangs, while more requests come than its pool has connections.
    private async Task FillPool(PlannedFault fault, StormHost host, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketFailures(new SocketsHttpHandler { UseProxy = false })) { BaseAddress = host.Url, Timeout = TimeSpan.FromSeconds(15) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", organizations[0].ApiKey);
        await strikes.During(async () =>
        {
            var stall = host.Proxy.Stall(fault.Lasts);
            var asked = Enumerable.Range(0, RequestsForAFullPool).Select(async _ =>
            {
                try
                {
                    using var answer = await http.GetAsync("api/calls?limit=1", cancellation);
                }
                catch (Exception silent) when (silent is HttpRequestException || (silent is OperationCanceledException && !cancellation.IsCancellationRequested))
                {
                    // The host was killed meanwhile, or stands still.
                }
            }).ToList();
            var fullest = 0;
            while (!stall.IsCompleted)
            {
                fullest = Math.Max(fullest, host.Proxy.Open);
                await Task.WhenAny(stall, Task.Delay(20, CancellationToken.None));
            }

            await Task.WhenAll(asked);
            if (fullest >= StormStage.PoolSize) strikes.Strike(fault, $"host {host.Number}, {fullest} connections");
        });
    }

    private async Task Lock(PlannedFault fault, CancellationToken cancellation) => await strikes.During(async () =>
    {
        var locked = await Patiently(
            async connection =>
            {
                await using var transaction = await connection.BeginTransactionAsync(cancellation);
                var rows = await connection.ExecuteScalarAsync<int>(LockSql, new { rows = RowsLocked });
                if (rows > 0) await Task.Delay(fault.Lasts, cancellation);
                return rows;
            },
            rows => rows > 0,
            cancellation);
        if (locked > 0) strikes.Strike(fault, $"{locked} rows");
    });

    // An old snapshot keeps every dead row; a crash of the server ends it, and then there is a new one.
    private async Task KeepOpen(PlannedFault fault, Task storm, CancellationToken cancellation)
    {
        while (!storm.IsCompleted)
        {
            await Patiently(
                async connection =>
                {
                    await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellation);
                    await connection.ExecuteScalarAsync<long>(SnapshotSql);
                    if (!strikes.HasStruck(fault)) strikes.Strike(fault, "to the end");
                    while (!storm.IsCompleted)
                    {
                        await Task.WhenAny(storm, Task.Delay(500, cancellation));
                        cancellation.ThrowIfCancellationRequested();
                        await connection.ExecuteScalarAsync<long>(SnapshotSql);
                    }

                    return 1;
                },
                _ => true,
                cancellation);
        }
    }

    private StormHost Up(int draw)
    {
        var up = hosts.Where(host => host.State == HostState.Up).ToList();
        return up.Count == 0 ? hosts[draw % hosts.Count] : up[draw % up.Count];
    }

    // Until the result is as wanted, through restarts of the server, but not for ever.
    private async Task<int> Patiently(Func<NpgsqlConnection, Task<int>> run, Func<int, bool> wanted, CancellationToken cancellation)
    {
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < LongestWait; await Task.Delay(BetweenTries, cancellation))
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync(cancellation);
                var result = await run(connection);
                if (wanted(result)) return result;
            }
            catch (NpgsqlException)
            {
                // It is down, or went down; there is another try.
            }
        }

        return 0;
    }

    private const string TerminateSql =
        """
        select count(*) filter (where pg_terminate_backend(pid))
        from (
            select setseed(@seed)
        ) as seeded,
        lateral (
            select pid
            from pg_stat_activity
            where datname = current_database() and application_name like 'call-orchestration%'
            order by random()
            limit 3
        ) as chosen
        """;

    private const string LockSql =
        """
        select count(*)
        from (
            select id
            from calls
            where status in ('PENDING', 'IN_PROGRESS')
            order by next_action_at
            limit @rows
            for update
        ) as locked
        """;

    private const string SnapshotSql = "select count(*) from organizations";
}
