using CallOrchestration.Calls;
using CallOrchestration.Inbound;
using CallOrchestration.Outbound;
using CallOrchestration.ProviderEvents;
using CallOrchestration.Scheduling;
using Npgsql;

namespace CallOrchestration.Host;

/// <summary>The host's table of contents: which modules there are, and in which order they start.</summary>
internal static class Application
{
    private const string StandardUrl = "http://localhost:5080";

    public static IReadOnlyList<MigrationScript> MigrationScripts { get; } = [.. CallsModule.MigrationScripts, .. SchedulingModule.MigrationScripts];

    public static WebApplicationBuilder CreateBuilder(string[] args)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        if (string.IsNullOrWhiteSpace(builder.Configuration["urls"])) builder.WebHost.UseUrls(StandardUrl);
        builder.Logging.ClearProviders().AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
        });
        // It would log every request with its query, and so tokens and phone numbers: not to be switched on by a setting.
        builder.Services.PostConfigure<LoggerFilterOptions>(filters =>
            filters.Rules.Add(new(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning, null)));
        // Longer than the longest dial: what is out gets its answer and its record.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(30));
        return builder;
    }

    /// <exception cref="SettingException">A setting makes no sense.</exception>
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.AddCalls();
        builder.AddOutbound();
        // After Outbound, so that it stops before: no new claims while the last dials get their answers.
        builder.AddScheduling();
        builder.AddApiDocument();
        Settings.Of(builder).RefuseUnknown();

        var app = builder.Build();
        // Everything here has one representation. The framework would tell an error as plain text, or as a bare 500, to a client that
        // says it accepts no JSON.
        app.Use((context, next) =>
        {
            context.Request.Headers.Remove("Accept");
            return next(context);
        });
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        // Said here, or the framework would put both before the exception handler, and a database that is away would be a bare 500.
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapCalls();
        app.MapOutbound();
        app.MapInbound();
        app.MapProviderEvents();
        app.MapHealth();
        app.MapApiDocument();
        return app;
    }

    /// <summary>Migrates, adds the demo organization where it belongs, and proves that rows can be written and read.</summary>
    public static async Task Prepare(WebApplication app, bool withDemo)
    {
        await Migrations.Apply(Database.ConnectionString(app.Configuration), MigrationScripts, app.Lifetime.ApplicationStopping);
        var database = app.Services.GetRequiredService<RequestDatabase>();
        if (withDemo)
        {
            await using var connection = await database.OpenConnection(app.Lifetime.ApplicationStopping);
            await Organizations.AddDemo(connection);
        }

        await Readiness.Prove(database, app.Lifetime.ApplicationStopping);
    }
}
