namespace CallOrchestration.Simulator;

/// <summary>A directory for the time of a run.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory()
    {
        Path = Directory.CreateTempSubdirectory("call-orchestration-simulator-").FullName;

        // Root's host runs PostgreSQL as another user, who has to pass through to its data in here.
        if (Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, File.GetUnixFileMode(Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }

    public string Path { get; }

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception left) when (left is IOException or UnauthorizedAccessException)
        {
            // The result stands all the same; only the rubbish has to be named.
            System.Console.Error.WriteLine($"{Path} could not be deleted: {left.Message}");
        }
    }
}
