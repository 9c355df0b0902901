using Spectre.Console;

namespace CallOrchestration.Benchmarks;

/// <summary>What every cell works with.</summary>
internal sealed class Bench(BenchmarkOptions options, Cluster cluster, CancellationToken cancellation)
{
    private readonly Dictionary<string, IReadOnlyList<Tenant>> tenants = [];

    public BenchmarkOptions Options => options;

    public Cluster Cluster => cluster;

    public CancellationToken Cancellation => cancellation;

    /// <summary>A template with organizations whose secrets are known, and with what else it is filled with once.</summary>
    public async Task<(string Template, IReadOnlyList<Tenant> Tenants)> TenantTemplate(string name, Func<string, IReadOnlyList<Tenant>, Task> fill)
    {
        await cluster.Template(name, async connectionString =>
        {
            tenants[name] = await CallRows.Migrate(connectionString);
            await fill(connectionString, tenants[name]);
        });
        return (name, tenants[name]);
    }

    /// <summary>Runs every contender as often as was asked for, each time in the other order: what warms up or fills up during a run is shared.</summary>
    public async Task Alternate<T>(IReadOnlyList<T> contenders, Func<T, Task> run)
    {
        for (var number = 0; number < options.Runs; number++)
        {
            foreach (var contender in number % 2 == 0 ? contenders : contenders.Reverse())
            {
                cancellation.ThrowIfCancellationRequested();
                await run(contender);
            }
        }
    }

    /// <summary>All of these, or only the product where that was asked for.</summary>
    public IReadOnlyList<T> Chosen<T>(IReadOnlyList<T> contenders, T product)
        where T : class => options.Alone ? [product] : contenders;

    /// <summary>The same on each disk that was asked for.</summary>
    public async Task OnEachDisk(Func<string, Task> run)
    {
        foreach (var disk in options.Disks)
        {
            await cluster.Use(disk);
            await run(disk == Disk.AsItIs ? "" : ", slower disk");
        }

        await cluster.Use(Disk.AsItIs);
    }

    /// <summary>A line that shows that a long run goes on.</summary>
    public static void Tell(string line) => AnsiConsole.MarkupLineInterpolated($"[grey]  {DateTime.Now:HH:mm:ss} {line}[/]");
}
