using System.Runtime.InteropServices;
using CallOrchestration.Calls;
using Npgsql;

namespace CallOrchestration.Host;

/// <summary>Runs the host: database, migrations, proof of the connection, and then calls until somebody stops it.</summary>
internal static class HostCommand
{
    public static async Task<int> Run(string[] args)
    {
        using var signals = new StopSignals();
        try
        {
            var builder = Application.CreateBuilder(args);
            await using var embedded = await DatabaseOf(builder.Configuration, signals.Token);
            await using var app = Application.Build(builder);
            using var stopping = signals.Token.Register(app.Lifetime.StopApplication);
            await Application.Prepare(app, withDemo: embedded is not null);
            await app.StartAsync();
            WriteBanner(app.Urls, embedded, app.Configuration);
            await app.WaitForShutdownAsync();
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            // Stopped before it had started.
        }

        return 0;
    }

    /// <summary>
    /// The database of the setting; where that is empty a private PostgreSQL, which the caller stops. Its connection string becomes the
    /// setting.
    /// </summary>
    public static async Task<EmbeddedPostgres?> DatabaseOf(ConfigurationManager configuration, CancellationToken cancellation)
    {
        if (!string.IsNullOrWhiteSpace(configuration[Database.ConnectionStringKey])) return null;
        var embedded = await EmbeddedPostgres.Start(DataDirectory(), cancellation: cancellation);
        configuration[Database.ConnectionStringKey] = embedded.ConnectionString;
        return embedded;
    }

    // `dotnet run --project host` starts in host/, `./run` at the root: both mean the same data.
    private static string DataDirectory()
    {
        var current = Directory.GetCurrentDirectory();
        for (var directory = new DirectoryInfo(current); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "CallOrchestration.sln"))) return Path.Combine(directory.FullName, ".data");
        }

        return Path.Combine(current, ".data");
    }

    /// <summary>Who places this host's calls, in a word: Fake, or Exotel and where that is.</summary>
    public static string Dialer(IConfiguration configuration) =>
        string.Equals(configuration["Dialer:Provider"]?.Trim(), "Exotel", StringComparison.OrdinalIgnoreCase)
            ? $"Exotel at {configuration["Dialer:Exotel:BaseUrl"]?.Trim()}"
            : "Fake";

    private static void WriteBanner(ICollection<string> urls, EmbeddedPostgres? embedded, IConfiguration configuration)
    {
        var url = urls.First().Replace("0.0.0.0", "localhost", StringComparison.Ordinal).Replace("[::]", "localhost", StringComparison.Ordinal);
        Console.WriteLine();
        Console.WriteLine("CallOrchestration is running. Ctrl-C stops it.");
        Console.WriteLine();
        Console.WriteLine($"  API            {url}");
        Console.WriteLine($"  Swagger UI     {url}/swagger");
        if (embedded is not null)
        {
            Console.WriteLine($"  API key        {Organizations.Demo.ApiKey}      (the demo organization, {Organizations.Demo.Phone})");
            Console.WriteLine($"  Webhook token  {Organizations.Demo.WebhookToken}");
        }

        if (Dialer(configuration) is var dialer and not "Fake")
        {
            Console.WriteLine($"  Dialler        {dialer}");
        }
        else if (embedded is not null)
        {
            // Not offered beside a real dialler: the simulator's numbers are made up, and some of them are somebody's.
            Console.WriteLine();
            Console.WriteLine("See it work, in a second terminal, from the project's root:");
            Console.WriteLine();
            Console.WriteLine($"  dotnet run --project simulator -- lifecycle --url {url} --database .data/connection-string");
        }

        Console.WriteLine();
    }
}

/// <summary>
/// Ctrl-C, a service manager's stop and a closed terminal, from the first moment on: a signal while PostgreSQL starts would be a kill, and
/// leave it running.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly List<PosixSignalRegistration> registrations;

    public StopSignals() => registrations =
        [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, Stop))];

    public CancellationToken Token => stop.Token;

    public void Dispose()
    {
        registrations.ForEach(registration => registration.Dispose());
        stop.Dispose();
    }

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        stop.Cancel();
    }
}

/// <summary>Failures that a person can mend are told in a sentence, not in a stack trace.</summary>
internal static class Failures
{
    public const int WrongSetting = 2;

    public static async Task<int> Explained(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (SettingException error)
        {
            return Tell(error.Message, WrongSetting);
        }
        catch (Exception error) when (error is MigrationException or EmbeddedPostgresException)
        {
            return Tell(error.Message, 1);
        }
        catch (OperationCanceledException)
        {
            return Tell("Stopped.", 1);
        }
        catch (NpgsqlException error)
        {
            return Tell($"The database of ConnectionStrings__CallOrchestration cannot be used ({DatabaseAway.Reason(error)}).", 1);
        }
        catch (IOException error) when (error.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            return Tell($"{error.Message} Another program listens there; choose another address with --urls.", 1);
        }
    }

    private static int Tell(string sentence, int exitCode)
    {
        Console.Error.WriteLine(sentence);
        return exitCode;
    }
}
