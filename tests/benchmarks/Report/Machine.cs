namespace CallOrchestration.Benchmarks.Report;

/// <summary>What it was measured on, as far as Linux tells it.</summary>
internal static class Machine
{
    public static string Memory() =>
        Read("/proc/meminfo")?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var text, ..]
        && long.TryParse(text, CultureInfo.InvariantCulture, out var kilobytes)
            ? $"{kilobytes / 1024.0 / 1024:0} GB of memory"
            : "unknown memory";

    /// <summary>How busy it was with other things in the last minute: above about 0.3 the figures are rough.</summary>
    public static string Load() => Read("/proc/loadavg")?.Split(' ')[0] ?? "unknown";

    private static string? Read(string file) => File.Exists(file) ? File.ReadLines(file).First() : null;
}
