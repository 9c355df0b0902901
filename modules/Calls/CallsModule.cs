using System.Text.Json;
using System.Text.Json.Serialization;
using FluentValidation;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Calls;

/// <summary>What the module Calls holds: the table, its lifecycle, its API, and what every other module stands on.</summary>
public static class CallsModule
{
    /// <summary>The module's migrations, which come before every other module's.</summary>
    public static IReadOnlyList<MigrationScript> MigrationScripts { get; } = MigrationScript.Of("Calls", typeof(CallsModule).Assembly);

    /// <summary>Adds the database, authentication, errors and timers.</summary>
    /// <exception cref="SettingException">A setting makes no sense.</exception>
    public static void AddCalls(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = Settings.Of(builder);
        Failpoint.Configure(builder);
        var connectionString = Database.ConnectionString(builder.Configuration);
        var services = builder.Services;

        services.AddSingleton(CallTimers.From(settings));
        services.AddSingleton(_ => Database.ForRequests(connectionString));
        services.AddSingleton(_ => Database.ForScheduler(connectionString));
        services.AddSingleton<Secrets>().AddSingleton<CallsById>().AddSingleton<NewCalls>().AddSingleton<ProviderEvents>();
        services.AddSingleton<DueSignal>();
        var pause = settings.Duration("Dialer:Pause", DialPause.Standard, TimeSpan.FromSeconds(1), DialPause.Longest);
        services.AddSingleton(services => new DialPause(services.GetRequiredService<TimeProvider>(), pause));
        services.TryAddSingleton(TimeProvider.System);

        // The core alone: AddAuthentication would bring a key ring on disk, for cookies that there are none of.
        services.AddAuthenticationCore().AddWebEncoders();
        new AuthenticationBuilder(services)
            .AddScheme<AuthenticationSchemeOptions, OrganizationAuthentication>(Schemes.ApiKey, null)
            .AddScheme<AuthenticationSchemeOptions, OrganizationAuthentication>(Schemes.WebhookToken, null)
            .AddScheme<AuthenticationSchemeOptions, OrganizationAuthentication>(Schemes.Callback, null);
        var authorization = services.AddAuthorizationBuilder();
        foreach (var scheme in (string[])[Schemes.ApiKey, Schemes.WebhookToken, Schemes.Callback])
            authorization.AddPolicy(scheme, policy => policy.AddAuthenticationSchemes(scheme).RequireAuthenticatedUser());

        services.AddExceptionHandler<ProblemHandler>();
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            // The same words whichever part was wrong: no hint.
            if (context.ProblemDetails.Status == StatusCodes.Status401Unauthorized)
                context.ProblemDetails.Detail ??= "This needs a valid API key (Authorization: Bearer …), webhook token (?token=…) or callback signature.";
        });
        // Its error would be answered without the field's name; thrown, it reaches ProblemHandler with all it knows.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.Configure<KestrelServerOptions>(options => options.Limits.MaxRequestBodySize = ProviderRequest.BodyBytes);
        services.Configure<JsonOptions>(options =>
        {
            var json = options.SerializerOptions;
            json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.DictionaryKeyPolicy = null;
            json.PropertyNameCaseInsensitive = false;
            json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            json.AllowDuplicateProperties = false;
            json.NumberHandling = JsonNumberHandling.Strict;
            json.Converters.Add(new Rfc3339());
        });
        ValidatorOptions.Global.PropertyNameResolver = (_, member, _) => member is null ? null : JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name);
        ValidatorOptions.Global.DisplayNameResolver = (_, _, _) => "";
    }

    /// <summary>Maps <c>/api/calls</c>.</summary>
    public static void MapCalls(this IEndpointRouteBuilder routes)
    {
        var calls = routes.MapGroup("/api/calls").RequireAuthorization(Schemes.ApiKey).WithTags("Calls");
        CreateCall.Map(calls);
        ListCalls.Map(calls);
        SummarizeCalls.Map(calls);
        ReadCall.Map(calls);
        ChangeCall.Map(calls);
    }
}
