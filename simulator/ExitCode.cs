namespace CallOrchestration.Simulator;

internal static class ExitCode
{
    public const int AllHeld = 0;
    public const int SomethingFailed = 1;
    public const int BadOptions = 2;

    // 128 + SIGINT, as shells report it.
    public const int Interrupted = 130;
}
