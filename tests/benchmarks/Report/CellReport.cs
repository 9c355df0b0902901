namespace CallOrchestration.Benchmarks.Report;

/// <summary>What a figure counts, and which way is better.</summary>
internal sealed record Unit(string Name, bool MoreIsBetter)
{
    public static readonly Unit CallsPerSecond = new("calls/s", true);
    public static readonly Unit RequestsPerSecond = new("requests/s", true);
    public static readonly Unit Milliseconds = new("ms", false);
    public static readonly Unit Seconds = new("s", false);

    /// <summary>How many times better the one is than the other; above 1 it is ahead.</summary>
    public double Ahead(double one, double other) => MoreIsBetter ? one / other : other / one;
}

/// <summary>The same thing measured several times.</summary>
/// <param name="Variant">Under which circumstances.</param>
/// <param name="Contender">Who.</param>
/// <param name="IsOurs">The product itself, whom the others are compared with.</param>
/// <param name="Unit">Of the values.</param>
internal sealed record Figure(string Variant, string Contender, bool IsOurs, Unit Unit)
{
    public List<double> Values { get; } = [];

    /// <summary>What a reader must know to read it right, such as fewer rows than the others had.</summary>
    public string Note { get; set; } = "";

    public double Median => Values.Median();
}

/// <summary>Something that has to be reached.</summary>
/// <param name="What">The sentence, with the limit in it.</param>
/// <param name="Reached">What was measured.</param>
/// <param name="Met">Whether that is enough.</param>
internal sealed record Target(string What, string Reached, bool Met);

/// <summary>How PostgreSQL ran a statement.</summary>
/// <param name="Statement">Its name in the product.</param>
/// <param name="Read">Rows that were read from tables and indexes.</param>
/// <param name="Returned">Rows that came out.</param>
/// <param name="Plan">As <c>explain (analyze, buffers)</c> prints it.</param>
internal sealed record QueryPlan(string Statement, long Read, long Returned, string Plan)
{
    // Rows that come out cost less than those that were read in vain; a statement that returns one row may look at a few.
    public const int MostReadPerReturned = 10;

    public bool IsLean => Read <= MostReadPerReturned * Math.Max(Returned, 1);
}

/// <summary>Everything that one cell found.</summary>
internal sealed class CellReport(string name)
{
    private readonly List<Figure> figures = [];
    private readonly List<Target> targets = [];
    private readonly List<string> notes = [];
    private readonly List<string> faults = [];
    private readonly List<QueryPlan> plans = [];
    private readonly Dictionary<string, string> settings = [];

    public string Name => name;

    public IReadOnlyList<Figure> Figures => figures;

    public IReadOnlyList<Target> Targets => targets;

    public IReadOnlyList<string> Notes => notes;

    /// <summary>What went wrong while measuring: duplicates, early starts, missing rows, errors. Each of them fails the cell.</summary>
    public IReadOnlyList<string> Faults => faults;

    public IReadOnlyList<QueryPlan> Plans => plans;

    /// <summary>Who was configured how.</summary>
    public IReadOnlyDictionary<string, string> Settings => settings;

    public bool Passed => faults.Count == 0 && targets.All(target => target.Met);

    public void Configured(string contender, string how) => settings[contender] = how;

    public void Note(string note)
    {
        if (!notes.Contains(note)) notes.Add(note);
    }

    public void Fault(string fault) => faults.Add(fault);

    public void Add(QueryPlan plan) => plans.Add(plan);

    public void Measured(string variant, string contender, bool isOurs, Unit unit, double value, string note = "")
    {
        var figure = figures.Find(figure => figure.Variant == variant && figure.Contender == contender && figure.Unit == unit);
        if (figure is null) figures.Add(figure = new(variant, contender, isOurs, unit));
        figure.Values.Add(value);
        if (note.Length > 0) figure.Note = note;
    }

    /// <summary>The median; NaN where nothing was measured.</summary>
    public double Median(string variant, string contender, Unit unit) =>
        figures.Find(figure => figure.Variant == variant && figure.Contender == contender && figure.Unit == unit)?.Median ?? double.NaN;

    /// <summary>A target; none where what it compares was not measured, and why that was is said otherwise.</summary>
    public void AtLeast(string what, double reached, double limit, string format = "0.00")
    {
        if (!double.IsNaN(reached)) targets.Add(new($"{what} ≥ {Printed(limit, format)}", Printed(reached, format), reached >= limit));
    }

    /// <summary>The same for what must not grow.</summary>
    public void AtMost(string what, double reached, double limit, string format = "0.0")
    {
        if (!double.IsNaN(reached)) targets.Add(new($"{what} ≤ {Printed(limit, format)}", Printed(reached, format), reached <= limit));
    }

    private static string Printed(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
