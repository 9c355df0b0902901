namespace CallOrchestration.Tests;

/// <summary>Where the source lies: a few tests read or build it.</summary>
internal static class Sources
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "CallOrchestration.sln"))) return directory.FullName;
        }

        throw new InvalidOperationException($"No CallOrchestration.sln lies above {AppContext.BaseDirectory}.");
    }
}
