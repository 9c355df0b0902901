using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Calls;

/// <summary>
/// The places at which a storm (<c>simulator storm</c>) may strike this host: at each it asks the storm's address, and the storm lets it go
/// on, kills or freezes the process while it waits, cuts its connections, or has it throw. Without the setting <c>Failpoints__Url</c> a
/// place costs one comparison; a host in production refuses the setting.
/// </summary>
public static class Failpoint
{
    /// <summary>A batch was claimed and committed, nothing of it is dialled.</summary>
    public const string AfterClaim = "after-claim";

    /// <summary>One dial is about to leave.</summary>
    public const string BeforeSend = "before-send";

    /// <summary>The request has reached the provider, whose answer is not read yet.</summary>
    public const string AfterSend = "after-send";

    /// <summary>The provider's answer is known, and nowhere written down.</summary>
    public const string AfterResponse = "after-response";

    /// <summary>The results of dials are about to be written down.</summary>
    public const string BeforeRecord = "before-record-commit";

    /// <summary>The statement that writes them is at the server.</summary>
    public const string DuringRecord = "during-record-commit";

    /// <summary>They are committed.</summary>
    public const string AfterRecord = "after-record-commit";

    /// <summary>A webhook was read, and is not committed.</summary>
    public const string BeforeWebhookCommit = "before-webhook-commit";

    /// <summary>It is committed, and not answered.</summary>
    public const string AfterWebhookCommit = "after-webhook-commit";

    /// <summary>A no-answer is about to be judged: a retry, or the end.</summary>
    public const string RetryDecision = "retry-decision";

    /// <summary>The watchdog has noted that it asks the provider about a call, and has not asked.</summary>
    public const string InWatchdog = "in-watchdog";

    private const string Setting = "Failpoints:Url";

    // Longer than any pause that makes sense; a storm that has died must not hold its hosts.
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(2);

    private static HttpClient? storm;

    /// <summary>Ends when the storm lets the host go on.</summary>
    /// <exception cref="FailpointException">The storm wants an error here.</exception>
    public static Task Hit(string name) => storm is null ? Task.CompletedTask : Ask(storm, name);

    internal static void Configure(IHostApplicationBuilder builder)
    {
        if (Settings.Of(builder).Text(Setting) is not { } url) return;
        if (builder.Environment.IsProduction())
            throw new SettingException(Setting, "is for storms, and refused while the environment (DOTNET_ENVIRONMENT) is Production, which it is by default");
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttp || !address.IsLoopback)
            throw new SettingException(Setting, "takes an http address on this machine");
        storm = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = LongestPause };
    }

    private static async Task Ask(HttpClient storm, string name)
    {
        using var answer = await storm.PostAsync(new Uri(name, UriKind.Relative), null);
        if (!answer.IsSuccessStatusCode) throw new FailpointException(name);
    }
}

/// <summary>The error that a storm asked for.</summary>
public sealed class FailpointException(string name) : Exception($"The storm wants an error at {name}.");
