namespace CallOrchestration.Simulator;

/// <summary>Why nothing can be played at all, as a sentence for the person at the terminal.</summary>
internal sealed class CannotPlay(string why) : Exception(why);
