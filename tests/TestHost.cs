using CallOrchestration.Host;
using CallOrchestration.Outbound;
using CallOrchestration.Scheduling;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace CallOrchestration.Tests;

/// <summary>
/// A real host in this process, on a free port, with a database of its own. Its loops are off unless a test turns them on: tests call
/// <c>RunOnce</c>. As a class fixture it serves every test of the class; each test makes an organization of its own.
/// </summary>
public class TestHost : IAsyncLifetime
{
    private readonly TestPostgres postgres;
    private readonly string? connectionString;
    private readonly IDialer? dialer;
    private readonly (string Key, string Value)[] settings;

    public TestHost(TestPostgres postgres)
        : this(postgres, null, null)
    {
    }

    internal TestHost(TestPostgres postgres, string? connectionString, IDialer? dialer, params (string Key, string Value)[] settings)
    {
        this.postgres = postgres;
        this.connectionString = connectionString;
        this.dialer = dialer;
        this.settings = settings;
    }

    public WebApplication App { get; private set; } = null!;

    public string ConnectionString { get; private set; } = "";

    public Uri Url => new(App.Urls.First());

    public NpgsqlDataSource Rows { get; private set; } = null!;

    /// <summary>Every line that the host logged.</summary>
    public CapturedLog Log { get; } = new();

    /// <summary>The host's clock, where a test needs another than the system's.</summary>
    internal TimeProvider? Clock { get; init; }

    /// <summary>Starts a host by itself; with the connection string of another it works on the same database.</summary>
    internal static async Task<TestHost> Start(
        TestPostgres postgres, string? connectionString = null, IDialer? dialer = null, params (string Key, string Value)[] settings)
    {
        var host = new TestHost(postgres, connectionString, dialer, settings);
        await host.InitializeAsync();
        return host;
    }

    public async ValueTask InitializeAsync()
    {
        ConnectionString = connectionString ?? await postgres.CreateDatabase();
        var builder = Application.CreateBuilder(["--urls", "http://127.0.0.1:0"]);
        builder.Configuration[Database.ConnectionStringKey] = ConnectionString;
        builder.Configuration["Scheduler:Enabled"] = "false";
        foreach (var (key, value) in settings) builder.Configuration[key] = value;
        builder.Logging.ClearProviders().AddProvider(Log);
        if (dialer is not null) builder.Services.AddSingleton(dialer);
        if (Clock is not null) builder.Services.AddSingleton(Clock);

        App = Application.Build(builder);
        Rows = NpgsqlDataSource.Create(ConnectionString);
        await Application.Prepare(App, withDemo: false);
        await App.StartAsync();
    }

    /// <summary>A new organization, with clients that speak in its name.</summary>
    public async Task<Acme> AddOrganization(string name = "Acme")
    {
        await using var connection = await Rows.OpenConnectionAsync();
        return new(this, await Organizations.Add(connection, name, Acme.Phone));
    }

    /// <summary>Claims what is due, dials it, and waits for the records: one round of the scheduler.</summary>
    public Task<int> Trigger() => Trigger(null);

    /// <summary>The same with a dialler that holds its dials: they are released.</summary>
    internal async Task<int> Trigger(TestDialer? release)
    {
        if (release is not null) release.Holds = false;
        var triggered = await Service<TriggerDueCalls>().RunOnce(null, TestContext.Current.CancellationToken);
        await triggered.Recorded;
        return triggered.Claimed;
    }

    /// <summary>One round of the watchdog.</summary>
    public async Task<int> EndOverdue()
    {
        var overdue = await Service<EndOverdueCalls>().RunOnce(TestContext.Current.CancellationToken);
        return overdue.Ended + await overdue.Answered;
    }

    /// <summary>Waits until no dial is out: what a PATCH triggered is recorded.</summary>
    public Task DialsRecorded() => Service<DialCalls>().WaitUntilFewerOut(1, TestContext.Current.CancellationToken);

    public T Service<T>()
        where T : notnull => App.Services.GetRequiredService<T>();

    public virtual async ValueTask DisposeAsync()
    {
        await App.StopAsync();
        await App.DisposeAsync();
        await Rows.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Keeps what is logged, formatted as the console would.</summary>
public sealed class CapturedLog : ILoggerProvider, ILogger
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> lines = new();

    public IReadOnlyCollection<string> Lines => lines;

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");

    public void Dispose()
    {
    }
}

/// <summary>A clock whose alarms never ring: whatever a test holds back is not given up, however slow the machine is.</summary>
internal sealed class NoAlarms : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
}

/// <summary>A clock that a test sets ahead: the monotonic one, by which a host sees that it was frozen or is late.</summary>
internal sealed class Leap : TimeProvider
{
    private long ahead;

    public void By(TimeSpan time) => ahead += (long)(time.TotalSeconds * TimestampFrequency);

    public override long GetTimestamp() => base.GetTimestamp() + ahead;
}
