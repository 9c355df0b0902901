using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Calls;

/// <summary>A setting that makes no sense: the host does not start. The message names the setting and says what it takes.</summary>
public sealed class SettingException(string key, string takes) : Exception($"{key.Replace(":", "__", StringComparison.Ordinal)} {takes}");

/// <summary>Reads settings, each with what it takes, and remembers which were read, so that a misspelt one is noticed.</summary>
public sealed class Settings
{
    private readonly IConfiguration configuration;
    private readonly HashSet<string> read = new(StringComparer.OrdinalIgnoreCase);

    private Settings(IConfiguration configuration) => this.configuration = configuration;

    /// <summary>The settings of the host that is being built.</summary>
    public static Settings Of(IHostApplicationBuilder builder)
    {
        if (!builder.Properties.TryGetValue(typeof(Settings), out var settings))
            builder.Properties[typeof(Settings)] = settings = new Settings(builder.Configuration);
        return (Settings)settings;
    }

    /// <summary>The setting as text, or null where it is absent or empty.</summary>
    public string? Text(string key)
    {
        read.Add(key);
        return string.IsNullOrWhiteSpace(configuration[key]) ? null : configuration[key]!.Trim();
    }

    /// <summary>A time span as hours, minutes, seconds, such as 00:05:00.</summary>
    public TimeSpan Duration(string key, TimeSpan standard, TimeSpan least, TimeSpan most)
    {
        if (Text(key) is not { } text) return standard;
        // The colons: .NET reads a bare 5 as five days, and 00:05 as five minutes where seconds may be meant.
        return text.Count(character => character == ':') == 2 && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var span)
            && span >= least && span <= most
            ? span
            : throw new SettingException(key, $"takes a time span from {least:c} to {most:c}, written as hours:minutes:seconds such as {standard:c}");
    }

    /// <summary>A whole number.</summary>
    public int Count(string key, int standard, int least, int most)
    {
        if (Text(key) is not { } text) return standard;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= least && count <= most
            ? count
            : throw new SettingException(key, $"takes a whole number from {least} to {most}");
    }

    /// <summary>true or false.</summary>
    public bool Switch(string key, bool standard)
    {
        if (Text(key) is not { } text) return standard;
        return bool.TryParse(text, out var value) ? value : throw new SettingException(key, "takes true or false");
    }

    /// <summary>One of a few words.</summary>
    public string Choice(string key, string standard, params string[] choices)
    {
        if (Text(key) is not { } text) return standard;
        return Array.Find(choices, choice => choice.Equals(text, StringComparison.OrdinalIgnoreCase))
            ?? throw new SettingException(key, $"takes {string.Join(" or ", choices)}");
    }

    /// <summary>E.164 numbers, separated by commas.</summary>
    public IReadOnlySet<string> Numbers(string key)
    {
        var numbers = (Text(key) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return numbers.All(PhoneNumber.IsE164)
            ? numbers.ToHashSet()
            : throw new SettingException(key, "takes phone numbers in E.164, such as +919900000001, separated by commas");
    }

    /// <summary>Refuses a setting in one of our sections that nothing has read: most likely it is misspelt.</summary>
    /// <exception cref="SettingException">There is such a setting.</exception>
    public void RefuseUnknown()
    {
        foreach (var section in read.Select(key => key.Split(':')[0]).Distinct(StringComparer.OrdinalIgnoreCase).ToList())
        {
            foreach (var (key, value) in configuration.GetSection(section).AsEnumerable())
            {
                if (value is not null && !read.Contains(key))
                    throw new SettingException(key, $"is no setting; there are {string.Join(", ", Known(section))}");
            }
        }
    }

    private IEnumerable<string> Known(string section) => read
        .Where(key => key.StartsWith(section + ":", StringComparison.OrdinalIgnoreCase))
        .Order(StringComparer.Ordinal)
        .Select(key => key.Replace(":", "__", StringComparison.Ordinal));
}

/// <summary>How long the orchestrator waits, for what.</summary>
/// <param name="RetryDelay">From a no-answer to the one retry.</param>
/// <param name="AnswerTimeout">Dialled, and no word from the provider: give up after this.</param>
/// <param name="CallTimeout">Answered or inbound, and never ended: give up after this.</param>
public sealed record CallTimers(TimeSpan RetryDelay, TimeSpan AnswerTimeout, TimeSpan CallTimeout)
{
    internal static CallTimers From(Settings settings) => new(
        settings.Duration("Retry:Delay", TimeSpan.FromMinutes(5), TimeSpan.Zero, TimeSpan.FromDays(7)),
        settings.Duration("Watchdog:AnswerTimeout", TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
        settings.Duration("Watchdog:CallTimeout", TimeSpan.FromHours(4), TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)));
}
