namespace CallOrchestration.Simulator.Provider;

/// <summary>How the request to place the call is answered.</summary>
internal enum ConnectAnswer
{
    Accepted,
    AfterTheCallbacks,
    Cut,
    ServerErrorThoughPlaced,
    ThrottledOnce,
    Never,
    ErrorIn200,
    BrokenBody,

    // From here on no call is placed.
    DoNotDisturb,
    ServerError,
    BadRequest,
}

/// <summary>How the client hears of the call.</summary>
internal enum Telling
{
    AsAsked,
    Never,
    TwiceOutOfOrder,
    UnknownWordFirst,
    SpoiltFirst,
}

/// <summary>What happens to a call, chosen by the number dialled.</summary>
/// <param name="Number">The last four digits that choose it.</param>
/// <param name="Does">One line for the printed table.</param>
internal sealed record Script(string Number, string Name, string Does)
{
    /// <summary>The word of the provider for how the call ends; only <c>completed</c> was answered.</summary>
    public string Ending { get; init; } = "completed";

    public ConnectAnswer Connect { get; init; }

    public Telling Telling { get; init; }

    /// <summary>The first dial for a CustomField rings out, whatever <see cref="Ending"/> says.</summary>
    public bool RingsOutFirst { get; init; }

    /// <summary>Neither details nor the list know the call.</summary>
    public bool Forgotten { get; init; }

    /// <summary>So many look-ups, in details or list, are answered with a server's error.</summary>
    public int FailingLookUps { get; init; }

    /// <summary>So many look-ups after those still see the call going on.</summary>
    public int StaleLookUps { get; init; }

    /// <summary>Rings for a second and talks for one, because somebody waits for all of it with an open request.</summary>
    public bool Short { get; init; }

    public bool Places => Connect < ConnectAnswer.DoNotDisturb;

    public string EndingOf(int dial) => RingsOutFirst && dial == 1 ? "no-answer" : Ending;
}
