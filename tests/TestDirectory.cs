namespace CallOrchestration.Tests;

/// <summary>A directory for the time of a test.</summary>
internal sealed class TestDirectory : IDisposable
{
    public TestDirectory(string name)
    {
        Path = Directory.CreateTempSubdirectory($"call-orchestration-{name}-").FullName;
        // As root, PostgreSQL runs as another user, who must get through to its data here; else these would be left behind elsewhere.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path, File.GetUnixFileMode(Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
