using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Provider;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>Hosts, provider, proxies and a database, up and ready; one storm, or several after each other, are played on it.</summary>
internal sealed class StormStage : IAsyncDisposable
{
    /// <summary>Of each of a host's two pools: small, so that it can be filled.</summary>
    public const int PoolSize = 8;

    private readonly StormGround ground;
    private readonly StormOptions options;
    private readonly List<StormHost> hosts = [];
    private ExotelServer exotel = null!;
    private FailpointServer failpoints = null!;

    // What is being played at the moment; what belongs to no round comes before the first.
    private volatile StormRound? round;

    private StormStage(StormGround ground, StormOptions options, string directory, string connectionString) =>
        (this.ground, this.options, Directory, ConnectionString) = (ground, options, directory, connectionString);

    /// <summary>Logs and ledger.</summary>
    public string Directory { get; }

    /// <summary>Of the storm's database, past all proxies.</summary>
    public string ConnectionString { get; }

    public NpgsqlDataSource Rows { get; private set; } = null!;

    public IReadOnlyList<StormHost> Hosts => hosts;

    public IReadOnlyList<StormOrganization> Organizations => ground.Organizations;

    public StormGround Ground => ground;

    /// <summary>Ends when the provider has played and told everything.</summary>
    public Task ProviderQuiet() => exotel.Quiet();

    public static async Task<StormStage> Build(StormGround ground, StormOptions options, StormPlan plan, CancellationToken cancellation)
    {
        var directory = Path.Combine(ground.Directory, $"seed-{plan.Seed}");
        System.IO.Directory.CreateDirectory(directory);
        var stage = new StormStage(ground, options, directory, await ground.CreateDatabase(plan.CommitDelay));
        try
        {
            await stage.Start(plan.BatchSize, cancellation);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>From now on faults and scripts are those of this round.</summary>
    public void Play(StormRound next) => round = next;

    public async ValueTask DisposeAsync()
    {
        foreach (var host in hosts) await host.DisposeAsync();
        if (failpoints is not null) await failpoints.DisposeAsync();
        if (exotel is not null) await exotel.DisposeAsync();
        if (Rows is not null) await Rows.DisposeAsync();
    }

    private async Task Start(int batchSize, CancellationToken cancellation)
    {
        Rows = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = true, ApplicationName = "storm" });
        failpoints = await FailpointServer.Start((host, name) => round?.AtFailpoint(hosts[host - 1], name) ?? Task.FromResult(true));
        var played = new ExotelOptions
        {
            Port = 0,
            Seed = options.Seed,
            Speed = StormTimes.Speed,
            Ledger = Path.Combine(Directory, "ledger.jsonl"),
            // Nothing kills the storm itself, and a disk would be busy with little else.
            DurableLedger = false,
            CallsPerMinute = 1_000_000,
            ScriptOf = number => round?.Plan.ScriptOf(number) ?? Scripts.For(number, options.Seed),
            CopiesOf = (call, @event) => round?.CopiesOf(call, @event) ?? [new(TimeSpan.Zero)],
            Accepted = call => round?.Accepted(call) ?? Task.CompletedTask,
            Written = entry => round?.Note(entry),
            Carrier = new Balancer(hosts),
        };
        exotel = await ExotelServer.Start(played, cancellation);
        for (var number = 1; number <= options.Hosts; number++)
        {
            var proxy = new PostgresProxy(ConnectionString);
            var url = HostProcess.FreeUrl();
            hosts.Add(new(number, new(Directory, url, Settings(played, proxy, number, batchSize))
            {
                Assembly = options.Host?.FullName,
                Log = Path.Combine(Directory, $"host-{number}.log"),
            }, proxy));
        }

        await Task.WhenAll(hosts.Select(host => host.Start(cancellation)));
    }

    private Dictionary<string, string> Settings(ExotelOptions played, PostgresProxy proxy, int number, int batchSize)
    {
        var database = proxy.ConnectionString;
        database.Pooling = true;
        database.MaxPoolSize = PoolSize;
        // What is not used any more is closed soon, so that what stays open after a storm was lost by somebody.
        database.ConnectionIdleLifetime = 3;
        database.ConnectionPruningInterval = 1;
        return new(ExotelAccount.Settings(played, exotel.Address, new("http://hosts.invalid")))
        {
            ["ConnectionStrings__CallOrchestration"] = database.ConnectionString,
            ["DOTNET_ENVIRONMENT"] = "Storm",
            // A process that lives for seconds, among others on the same few cores: it neither profiles its code nor has a heap for each core.
            ["DOTNET_TieredPGO"] = "0",
            ["DOTNET_gcServer"] = "0",
            ["Failpoints__Url"] = $"{failpoints.Address.GetLeftPart(UriPartial.Authority)}/{number}/",
            ["Dialer__Exotel__RequestsPerMinute"] = "100000",
            ["Dialer__Pause"] = Text(StormTimes.DialPause),
            ["Retry__Delay"] = Text(StormTimes.RetryDelay),
            ["Scheduler__Interval"] = Text(StormTimes.Interval),
            ["Scheduler__BatchSize"] = $"{batchSize}",
            ["Watchdog__AnswerTimeout"] = Text(StormTimes.AnswerTimeout),
            ["Watchdog__CallTimeout"] = Text(StormTimes.CallTimeout),
            ["Watchdog__LookUpInterval"] = Text(StormTimes.LookUpInterval),
        };

        static string Text(TimeSpan time) => time.ToString("c", System.Globalization.CultureInfo.InvariantCulture);
    }
}
