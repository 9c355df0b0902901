using System.Data;
using System.Globalization;
using Dapper;
using Microsoft.Extensions.Configuration;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>
/// A pool of connections, with a turn for each. The driver's limit for opening one counts the wait for a place in its pool too: after an
/// outage those who have waited long would get a place with no time left to connect, fail, and leave the same to the next, for as long as
/// new ones keep coming.
/// </summary>
public abstract class ConnectionPool : IAsyncDisposable
{
    // As long as the opening itself may take, where the connection string does not say.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly NpgsqlDataSource source;
    private readonly SemaphoreSlim turns;

    private protected ConnectionPool(NpgsqlDataSource source)
    {
        this.source = source;
        Settings = new(source.ConnectionString);
        turns = new(Settings.MaxPoolSize);
    }

    /// <summary>How it connects.</summary>
    internal NpgsqlConnectionStringBuilder Settings { get; }

    /// <summary>Opens a connection; to close it gives the turn to the next.</summary>
    /// <exception cref="NpgsqlException">No connection can be opened within 5 s, or the <c>Timeout</c> of the connection string; or none is given back within 5 s.</exception>
    public ValueTask<NpgsqlConnection> OpenConnection(CancellationToken cancellation) => Open(turns, source.OpenConnectionAsync, cancellation);

    private protected static async ValueTask<NpgsqlConnection> Open(
        SemaphoreSlim turns, Func<CancellationToken, ValueTask<NpgsqlConnection>> open, CancellationToken cancellation)
    {
        if (!await turns.WaitAsync(LongestWait, cancellation)) throw new NpgsqlException("All connections of the pool are in use.");
        try
        {
            var connection = await open(cancellation);
            connection.StateChange += (_, change) =>
            {
                if (change.OriginalState == ConnectionState.Open) turns.Release();
            };
            return connection;
        }
        catch
        {
            turns.Release();
            throw;
        }
    }

    /// <summary>After an error that says that the server only reads, as a former primary does after a failover: the next connection is a new one.</summary>
    public void LeaveReadOnlyServer(Exception error)
    {
        // The driver does not count 25006 as broken: the pool would hand out the same read-only connections for ever.
        if (error is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction }) source.Clear();
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return source.DisposeAsync();
    }
}

/// <summary>Connections for the API and the webhooks.</summary>
public sealed class RequestDatabase : ConnectionPool
{
    private readonly SemaphoreSlim longReads;

    internal RequestDatabase(NpgsqlDataSource source)
        : base(source) => longReads = new(Math.Max(1, Settings.MaxPoolSize / 4));

    /// <summary>
    /// As <see cref="ConnectionPool.OpenConnection"/>, for what takes the longer the more calls an organization has. At most a quarter of the connections goes
    /// there: a summary of 200,000 calls takes a tenth of a second, and those who look at a few of them again and again would leave no connection to
    /// the webhooks.
    /// </summary>
    /// <exception cref="NpgsqlException">As there; or none of the quarter is given back within 5 s.</exception>
    public ValueTask<NpgsqlConnection> OpenForLongRead(CancellationToken cancellation) => Open(longReads, OpenConnection, cancellation);
}

/// <summary>The scheduler's own connections: webhooks and the API can neither starve it nor be starved by it.</summary>
public sealed class SchedulerDatabase(NpgsqlDataSource source) : ConnectionPool(source);

/// <summary>How this program connects to PostgreSQL.</summary>
public static class Database
{
    /// <summary>The name of the connection string's setting.</summary>
    public const string ConnectionStringKey = "ConnectionStrings:CallOrchestration";

    /// <summary>The server ends any statement of this program after so long; what it has not committed by then, it never will.</summary>
    public static readonly TimeSpan LongestStatement = TimeSpan.FromSeconds(10);

    // Each wait at the server has an end of its own: a statement, a lock, a transaction that its client forgot.
    private static readonly string ServerLimits = string.Create(
        CultureInfo.InvariantCulture,
        $"-c statement_timeout={LongestStatement.TotalMilliseconds} -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s -c TimeZone=UTC -c synchronous_commit=on");

    // A plan cached while the table was empty keeps its sequential scan for as long as the connection lives.
    private const string ByIndexOnly = "-c enable_seqscan=off";

    // The scheduler's statements have one right plan: in the order of the one index, row by row, however many rows there are or were when it was made. To
    // plan a claim anew each time takes longer than the claim of a single call, and much longer beside the entries of many claimed calls.
    internal const string PlannedOnce =
        $"{ByIndexOnly} -c plan_cache_mode=force_generic_plan -c enable_sort=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

    private const int WebConnections = 40;
    private const int SchedulerConnections = 10;

    static Database()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.AddTypeHandler(new ReadCall.HistoryColumn());
        SqlMapper.AddTypeHandler(new CallConnection.Column());
    }

    /// <summary>The connection string of the configuration.</summary>
    /// <exception cref="SettingException">It is missing, or no connection string.</exception>
    public static string ConnectionString(IConfiguration configuration)
    {
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(configuration[ConnectionStringKey]);
            return builder.Host is null ? throw new ArgumentException("no host") : builder.ConnectionString;
        }
        catch (ArgumentException)
        {
            // The exception's own message may quote the string, password and all.
            throw new SettingException(ConnectionStringKey, "takes a PostgreSQL connection string such as Host=localhost;Database=calls;Username=calls;Password=…");
        }
    }

    /// <summary>Connections for the API and the webhooks.</summary>
    public static RequestDatabase ForRequests(string connectionString) =>
        new(Source(connectionString, "call-orchestration", WebConnections, ByIndexOnly));

    /// <summary>Connections for the scheduler, the watchdog and the record of dials.</summary>
    public static SchedulerDatabase ForScheduler(string connectionString) =>
        new(Source(connectionString, "call-orchestration scheduler", SchedulerConnections, PlannedOnce));

    private static NpgsqlDataSource Source(string connectionString, string name, int connections, string planner)
    {
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        return NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
        {
            ApplicationName = name,
            Options = $"{given.Options} {ServerLimits} {planner}".Trim(),
            // ShouldSerialize: whether it was given. ContainsKey is true of every word that the driver knows.
            MaxPoolSize = given.ShouldSerialize("Maximum Pool Size") ? given.MaxPoolSize : connections,
            // A caller is waiting on the line: a database that is away is told at once, not after the driver's 15 s.
            Timeout = given.ShouldSerialize("Timeout") ? given.Timeout : 5,
            // The server's limits come first; this one only ends the wait for a server that has vanished from the network.
            CommandTimeout = 30,
            KeepAlive = 30,
            MaxAutoPrepare = 60,
            NoResetOnClose = true,
            HostRecheckSeconds = 1,
        });
    }
}
