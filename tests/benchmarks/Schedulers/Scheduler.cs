using System.Diagnostics;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>Something that starts jobs when they are due: the product, or a peer in one of its configurations.</summary>
internal abstract class Scheduler
{
    /// <summary>How it is called in the tables.</summary>
    public abstract string Name { get; }

    /// <summary>Its settings, for whoever wants to judge them.</summary>
    public abstract string Configuration { get; }

    /// <summary>The most jobs that it gets through in a bearable time; rates are compared, so fewer will do.</summary>
    public int MostJobs { get; init; } = int.MaxValue;

    /// <summary>Jobs that are started before anything is measured.</summary>
    public int WarmUpJobs { get; init; } = 20_000;

    /// <summary>Schedulers of the same kind share their tables.</summary>
    public abstract string Kind { get; }

    /// <summary>Makes its tables.</summary>
    public abstract Task Prepare(string connectionString, CancellationToken cancellation);

    public abstract Task Fill(string connectionString, Rows rows, CancellationToken cancellation);

    public abstract ProcessStartInfo Process(string connectionString);

    /// <summary>How many jobs up to a time are not done, with that committed. Parameter: <c>@until</c>.</summary>
    public abstract string UnfinishedSql { get; }

    /// <summary>When the last job was done, as the rows themselves have it; null where they do not, and the first look that finds nothing left has to do.</summary>
    public virtual string? LastDoneSql => null;

    /// <summary>How many jobs the database shows to be done as they should; null where a peer keeps nothing to tell it by.</summary>
    public virtual string? DoneSql => null;
}

/// <summary>The product.</summary>
internal class ProductScheduler : Scheduler
{
    public const string ProductName = "CallOrchestration";

    public override string Name => ProductName;

    public override string Configuration => "its defaults: Scheduler__BatchSize=200, Scheduler__Interval=1 s, the fake dialler";

    public override string Kind => "calls";

    public override Task Prepare(string connectionString, CancellationToken cancellation) => CallRows.Migrate(connectionString);

    public override Task Fill(string connectionString, Rows rows, CancellationToken cancellation) =>
        CallRows.Insert(connectionString, rows, unguarded: rows.Count > BenchmarkOptions.FullRows);

    public override ProcessStartInfo Process(string connectionString)
    {
        var start = Child.Dotnet("CallOrchestration.Benchmarks.dll", HostChild.Command);
        start.Environment["ConnectionStrings__CallOrchestration"] = connectionString;
        return start;
    }

    // A claimed call has a started_at; its dial is recorded when it has the provider's id.
    public override string UnfinishedSql =>
        """
        select count(*)
        from calls
        where (status = 'PENDING' and next_action_at <= @until) or (status = 'IN_PROGRESS' and provider_call_id is null)
        """;

    // Written by the guard as the record of the dial goes by, a commit before the end. A look for what is left reads the whole table, which takes longer.
    public override string LastDoneSql => "select max(updated_at) from calls where status = 'IN_PROGRESS'";

    public override string DoneSql =>
        """
        select count(*)
        from calls
        where status = 'IN_PROGRESS' and provider_call_id is not null and claims = 1 and retries = 0
            and jsonb_path_query_array(history, '$[*].event') = '["created", "claimed", "dial-accepted"]'
        """;
}
