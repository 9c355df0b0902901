using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>More asks at once than can wait: the same request will do a moment later.</summary>
public sealed class OverloadedException : Exception;

/// <summary>
/// Gathers what concurrent requests ask of the database: while one statement is under way, the asks that come in wait for the next and share
/// it, and its commit. Whoever comes alone is served at once. Two statements at once would each be for half as many, and cost more than the second
/// processor gains; but where one has to wait, as for a lock or for the disk, the next goes beside it. An answer is given only after the commit; an
/// ask that the database refuses fails by itself, and the others of its statement do not notice.
/// </summary>
/// <param name="database">The requests' database.</param>
/// <param name="commitsApart">
/// Whether the next statement goes while this one commits. Not for rows that others wait for: a host that freezes before the commit holds them until
/// the server's limit for idle transactions.
/// </param>
public abstract class Gather<TAsk, TAnswer>(RequestDatabase database, bool commitsApart)
{
    /// <summary>The most asks in one statement.</summary>
    public const int MostTogether = 100;

    // There are a few kinds of asks, and the connections of the pool are for the other requests too.
    private const int MostStatements = 4;

    private readonly Queue<Waiting> queue = new();
    // Only whoever serves touches these two, and only one does.
    private readonly List<Task> underWay = [];
    private int lately;
    private bool serves;

    /// <summary>The most that wait: what is beyond would wait for longer than a client does.</summary>
    internal int MostWaiting { get; set; } = 2_000;

    /// <summary>How long one statement is waited for before the next goes beside it.</summary>
    internal TimeSpan Patience { get; set; } = TimeSpan.FromMilliseconds(50);

    private sealed record Waiting(TAsk Ask, TaskCompletionSource<TAnswer> Answer);

    /// <summary>Asks, and waits for the answer.</summary>
    /// <param name="ask">The ask.</param>
    /// <param name="cancellation">Ends this wait and nothing else: what was asked may happen all the same.</param>
    /// <exception cref="OverloadedException">Too many wait already; nothing was asked.</exception>
    /// <exception cref="NpgsqlException">The database is away, or refuses this ask.</exception>
    public Task<TAnswer> Ask(TAsk ask, CancellationToken cancellation)
    {
        var waiting = new Waiting(ask, new(TaskCreationOptions.RunContinuationsAsynchronously));
        bool starts;
        lock (queue)
        {
            if (queue.Count >= MostWaiting) throw new OverloadedException();
            queue.Enqueue(waiting);
            starts = !serves;
            serves = true;
        }

        if (starts) _ = Serve();
        return waiting.Answer.Task.WaitAsync(cancellation);
    }

    /// <summary>Runs one statement for several asks and answers each, in their order; all of it is committed when it returns.</summary>
    protected abstract Task<IReadOnlyList<TAnswer>> Run(NpgsqlConnection connection, IReadOnlyList<TAsk> asks);

    private async Task Serve()
    {
        while (true)
        {
            underWay.RemoveAll(statement => statement.IsCompleted);
            if (underWay.Count == MostStatements)
            {
                await Task.WhenAny(underWay);
                continue;
            }

            var together = Next();
            if (together.Count == 0) return;
            // Whoever comes alone is spared the round trip of a commit apart. Not so the first one back of many: the others would wait for its commit.
            lately = Math.Max(together.Count, lately - 1);
            var executed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var run = RunTogether(together, commitsApart && lately > 1 ? executed : null);
            underWay.Add(run);
            await Task.WhenAny(run, executed.Task, Task.Delay(Patience));
        }
    }

    private List<Waiting> Next()
    {
        lock (queue)
        {
            var together = new List<Waiting>();
            while (together.Count < MostTogether && queue.TryDequeue(out var waiting)) together.Add(waiting);
            serves = together.Count > 0;
            return together;
        }
    }

    // Never throws: whatever goes wrong is for those who asked.
    private async Task RunTogether(IReadOnlyList<Waiting> together, TaskCompletionSource? executed = null)
    {
        try
        {
            IReadOnlyList<TAnswer> answers;
            await using (var connection = await database.OpenConnection(CancellationToken.None))
            {
                var asks = together.Select(waiting => waiting.Ask).ToList();
                answers = executed is null ? await Run(connection, asks) : await RunAndCommit(connection, asks, executed);
            }

            foreach (var (waiting, answer) in together.Zip(answers)) waiting.Answer.SetResult(answer);
        }
        catch (PostgresException error) when (together.Count > 1 && error.InvariantSeverity == "ERROR")
        {
            // The statement is undone as a whole: one of them is refused, or waits for a lock. Each for itself. After an error that ends the
            // connection it may have been committed all the same.
            await Task.WhenAll(together.Select(waiting => RunTogether([waiting])));
        }
        catch (Exception error)
        {
            foreach (var waiting in together) waiting.Answer.TrySetException(error);
        }
    }

    // A commit waits for the disk: meanwhile the next statement has the processors.
    private async Task<IReadOnlyList<TAnswer>> RunAndCommit(NpgsqlConnection connection, IReadOnlyList<TAsk> asks, TaskCompletionSource executed)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        var answers = await Run(connection, asks);
        executed.SetResult();
        await transaction.CommitAsync();
        return answers;
    }
}
