using System.Globalization;
using System.Net.Sockets;
using CallOrchestration.Simulator.Host;
using CallOrchestration.Simulator.Provider;
using Spectre.Console;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>The fake Exotel, and the host that dials through it: a process of our own, or one that runs already.</summary>
internal sealed class BothSides : IAsyncDisposable
{
    /// <summary>Where a host that runs already is expected to dial.</summary>
    public const int UsualPort = 5090;

    private readonly TemporaryDirectory _directory = new();
    private readonly string _ledger;
    private ExotelServer _exotel = null!;
    private HostProcess? _host;

    private BothSides(LifecycleOptions options) =>
        (Options, _ledger) = (options, options.Exotel!.Ledger?.FullName ?? _directory.In("ledger.jsonl"));

    /// <summary>What the command line asked for, with the address and the database of the host that was started.</summary>
    public LifecycleOptions Options { get; private set; }

    public IReadOnlyList<Scenario> Scenarios => [.. ScriptScenario.All(_exotel, Ledger).Select(script => script.ToScenario())];

    public static async Task<BothSides> Start(LifecycleOptions options, IAnsiConsole screen, CancellationToken cancellation)
    {
        var both = new BothSides(options);
        try
        {
            await both.Start(screen, cancellation);
            return both;
        }
        catch (Exception wrong)
        {
            await both.DisposeAsync();
            throw wrong is IOException or UnauthorizedAccessException or SocketException ? new CannotPlay($"Exotel cannot be played: {wrong.Message}") : wrong;
        }
    }

    /// <summary>Looks at all calls and the whole ledger once more, when everything is over.</summary>
    public async Task<(IReadOnlyList<ScenarioResult> Results, Witness Witness)> Compare(
        IReadOnlyList<ScenarioResult> results, HostApi host, CancellationToken cancellation)
    {
        var calls = new List<CallView>();
        foreach (var played in results.SelectMany(result => result.Stage.Calls)) calls.Add(await host.Get(played.Id, cancellation));

        var ledger = Ledger();
        var others = new List<Guid>();
        foreach (var id in ledger.Select(LedgerCheck.CallId).OfType<Guid>().Distinct().Except(calls.Select(call => call.Id)))
        {
            if (await host.Knows(id, cancellation)) others.Add(id);
        }

        var found = LedgerCheck.Of(ledger, calls, others);
        return (
            [.. results.Select(result => result with { Problems = [.. result.Problems, .. Of(found, result)] })],
            new(
                ledger.Count(entry => entry.Kind == LedgerKind.Dial),
                ledger.Count(entry => entry.Kind == LedgerKind.Callback),
                [.. Silence(ledger), .. found.Where(disagreement => disagreement.CallId is null).Select(disagreement => disagreement.Problem)]));
    }

    // The one reason behind every call's failure, which none of them can name.
    private IEnumerable<Problem> Silence(IReadOnlyList<LedgerEntry> ledger)
    {
        if (!ledger.Any(entry => entry.Kind is LedgerKind.Dial or LedgerKind.Refused))
            yield return new($"ledger: requests of the host at {_exotel.Address.GetLeftPart(UriPartial.Authority)}", "not one: does it dial somewhere else?");
    }

    public async ValueTask DisposeAsync()
    {
        // The host first: while it stops, its last dials still get their answers.
        if (_host is not null) await _host.DisposeAsync();
        if (_exotel is not null) await _exotel.DisposeAsync();
        _directory.Dispose();
    }

    private static IEnumerable<Problem> Of(IReadOnlyList<Disagreement> found, ScenarioResult result) => found
        .Where(disagreement => result.Stage.Calls.Any(call => call.Id == disagreement.CallId))
        .Select(disagreement => disagreement.Problem);

    // The file may have gone on after earlier runs.
    private IReadOnlyList<LedgerEntry> Ledger()
    {
        var all = Provider.Ledger.Read(_ledger);
        var start = all.Count - 1;
        while (start > 0 && all[start].Kind != LedgerKind.Start) start--;
        return [.. all.Skip(start)];
    }

    private async Task Start(IAnsiConsole screen, CancellationToken cancellation)
    {
        var running = Options.Exotel!.HostRuns;
        var exotel = new ExotelOptions { Port = Options.Exotel.Port ?? (running ? UsualPort : 0), Seed = Options.Seed, Speed = Options.Speed, Ledger = _ledger };
        _exotel = await ExotelServer.Start(exotel, cancellation);
        var address = _exotel.Address.GetLeftPart(UriPartial.Authority);
        if (running)
        {
            screen.WriteLine($"Exotel is played at {address}. The host must have been started with Dialer__Provider=Exotel and");
            screen.WriteLine($"Dialer__Exotel__BaseUrl={address}; what never calls back ends only after its Watchdog__AnswerTimeout.");
            return;
        }

        screen.WriteLine($"Exotel is played at {address}. Starting a host that dials through it…");
        var url = HostProcess.FreeUrl();
        _host = await HostProcess.Start(new(_directory.Path, url, Settings(exotel, url)), cancellation);
        Options = Options.Against(url, Options.Database ?? _host.Database);
    }

    // The callbacks' address is a setting of the host, so it must be known before the host is.
    private Dictionary<string, string> Settings(ExotelOptions exotel, Uri url) => new(ExotelAccount.Settings(exotel, _exotel.Address, url))
    {
        ["Retry__Delay"] = "00:00:01",
        ["Watchdog__LookUpInterval"] = "00:00:01",

        // The longest call rings and talks for fifty seconds of its life, and who never calls back is asked about after this.
        ["Watchdog__AnswerTimeout"] = TimeSpan.FromSeconds(Math.Ceiling(Math.Max(6, 60 / Options.Speed))).ToString("c", CultureInfo.InvariantCulture),
    };
}
