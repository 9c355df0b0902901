using System.Collections.Concurrent;
using System.Diagnostics;
using CallOrchestration.Simulator.Provider;
using Dapper;
using Microsoft.AspNetCore.WebUtilities;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What the row of a call was when the provider accepted its dial. <c>Status</c> is null where there was no row.</summary>
internal sealed record RowAtDial(string CallSid, string? Status, int Retries);

/// <summary>One storm on its stage, from the first call to the last: everything that is drawn from one seed, and everything that was seen of it.</summary>
internal sealed class StormRound(StormPlan plan, StormStage stage, StormOptions options, Strikes strikes)
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan WitnessPatience = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<LedgerEntry> ledger = [];
    private readonly ConcurrentQueue<RowAtDial> rowsAtDial = [];
    private readonly ConcurrentQueue<string> fallen = [];
    private readonly ConcurrentDictionary<string, int> hits = [];
    private readonly ConcurrentDictionary<string, bool> signatures = [];
    private int deadHosts;

    // A fault that still has not struck after so many is planned wrongly.
    private const int MostEncores = 4;

    public StormPlan Plan { get; } = plan;

    public Strikes Strikes { get; } = strikes;

    public IReadOnlyCollection<LedgerEntry> Ledger => ledger;

    public IReadOnlyCollection<RowAtDial> RowsAtDial => rowsAtDial;

    /// <summary>Hosts that ended though nothing struck them.</summary>
    public IReadOnlyCollection<string> Fallen => fallen;

    public StormClient? Client { get; private set; }

    public DateTimeOffset Began { get; private set; }

    public DateTimeOffset Ended { get; private set; }

    /// <summary>When the last call or fault was over, and the rest was waiting.</summary>
    public DateTimeOffset LastActed { get; private set; }

    /// <summary>How many calls of the round are in each status, as last seen.</summary>
    public IReadOnlyDictionary<string, int> Statuses { get; private set; } = new Dictionary<string, int>();

    /// <summary>What is planned and has not struck.</summary>
    public IReadOnlyList<string> Missed => [.. MissedOfProvider, .. MissedFaults.Select(fault => fault.Describe())];

    private IReadOnlyList<string> MissedOfProvider =>
        [.. Plan.ProviderFaults.Select(planned => planned.Fault).Where(fault => Strikes.Provider.GetValueOrDefault(fault) == 0)];

    private IEnumerable<PlannedFault> MissedFaults => Plan.Faults.Where(fault => !Strikes.HasStruck(fault));

    /// <summary>Plays the round until every call has ended, or longer than any may take.</summary>
    public async Task Play(CancellationToken cancellation)
    {
        Began = DateTimeOffset.UtcNow + TimeSpan.FromSeconds(0.2);
        using var client = new StormClient(Plan, stage.Hosts, stage.Organizations, Strikes, Began);
        Client = client;
        stage.Play(this);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var storm = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var database = new DatabaseFaults(Plan, stage.Ground, stage.Directory, stage.ConnectionString, stage.Hosts, stage.Organizations, Strikes);
        var faults = database.Play(Began, storm.Task, over.Token);
        var watching = Watch(over.Token);
        try
        {
            await client.Play(Plan.Drawn.Where(call => call.Kind != CallKind.Probe), cancellation);
            // Where a call has outlived every bound, the storm is lost, and no encore would say more.
            var settled = await Settle(cancellation);
            for (var encores = 0; settled && encores < MostEncores && Missed.Count > 0; encores++)
            {
                faults = Task.WhenAll(faults, database.Play(Began, storm.Task, over.Token));
                await client.Play(Plan.Encore(MissedOfProvider, MissedFaults.Any(), DateTimeOffset.UtcNow - Began), cancellation);
                settled = await Settle(cancellation);
            }

            await client.Probe(cancellation);
            await Settle(cancellation);
            storm.SetResult();
            await faults;
        }
        finally
        {
            storm.TrySetResult();
            await over.CancelAsync();
            await Task.WhenAll(faults, watching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Ended = DateTimeOffset.UtcNow;
    }

    /// <summary>Strikes if the plan has it so.</summary>
    /// <returns>False: the host is to throw.</returns>
    public async Task<bool> AtFailpoint(StormHost host, string name)
    {
        // What a host has asked just before it was frozen is answered when it goes on, or nobody would ever see how it does.
        await host.Thawed;
        var hit = hits.AddOrUpdate(name, 1, (_, times) => times + 1);
        if (Plan.Faults.FirstOrDefault(fault => fault.Failpoint == name && fault.Hit == hit) is not { } fault) return true;
        Strikes.Strike(fault, $"host {host.Number}");
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                await host.Kill(options.OneStaysDead && Interlocked.Increment(ref deadHosts) == 1);
                return true;
            case FaultKind.Pause:
                await Task.Delay(StormTimes.Pause);
                return true;
            case FaultKind.Freeze:
                await host.Freeze(StormTimes.FreezeAt(name));
                return true;
            case FaultKind.Cut:
                host.Proxy.CutAll();
                return true;
            case FaultKind.Throw:
                return false;
            default:
                throw new UnreachableException();
        }
    }

    /// <summary>Of every callback address that the provider was given.</summary>
    public IReadOnlyCollection<string> Signatures => [.. signatures.Keys];

    public IReadOnlyList<Copy> CopiesOf(ProviderCall call, string @event)
    {
        if (call.Asked.StatusCallback is { } url && QueryHelpers.ParseQuery(url.Query).TryGetValue("signature", out var signature)) signatures[signature!] = true;
        if (Plan.Find(call.Asked.From) is not { } planned) return [new(TimeSpan.Zero)];
        if (planned.FateOf(@event) is var fate and not Fate.Plain) Strikes.Provide(PlannedCall.Fault(@event, fate));
        return planned.CopiesOf(Plan.Seed, stage.Hosts.Count, @event, call.Dial);
    }

    public void Note(LedgerEntry entry)
    {
        ledger.Enqueue(entry);
        var planned = entry.From is { } number ? Plan.Find(number) : null;
        if (entry.Kind is LedgerKind.Dial or LedgerKind.Refused && planned is { Script.Connect: not ConnectAnswer.Accepted and var odd }
            && (entry.Kind == LedgerKind.Refused || odd != ConnectAnswer.ThrottledOnce))
        {
            Strikes.Provide($"connect {PlannedCall.Words(odd)}");
        }

        if (planned?.Details is { } details && entry is { Kind: LedgerKind.LookUp } and ({ HttpStatus: not 200 } or { Status: "in-progress" }))
            Strikes.Provide($"details {details}");
    }

    /// <summary>Looks at the row past every host, while the provider's answer waits: the claim must have been committed by now.</summary>
    public async Task Accepted(ProviderCall call)
    {
        if (!Guid.TryParse(call.Asked.CustomField, out var id)) return;
        using var patience = new CancellationTokenSource(WitnessPatience);
        try
        {
            await using var connection = await stage.Rows.OpenConnectionAsync(patience.Token);
            var row = await connection.QuerySingleOrDefaultAsync<(string? Status, int Retries)>(new(RowSql, new { id }, cancellationToken: patience.Token));
            rowsAtDial.Enqueue(new(call.Sid, row.Status, row.Retries));
        }
        catch (Exception away) when (away is NpgsqlException or OperationCanceledException)
        {
            // The database is struck at this moment: what was noted of the row's versions has to do.
        }
    }

    // Until all calls are over and the provider has told all, but no longer than the longest of them may take; whether all are.
    private async Task<bool> Settle(CancellationToken cancellation)
    {
        LastActed = DateTimeOffset.UtcNow;
        while (DateTimeOffset.UtcNow - LastActed < StormTimes.LongestEnd)
        {
            if (Strikes.All.Count > 0 && Strikes.All.Max(strike => strike.At) is var struck && struck > LastActed) LastActed = struck;
            if (Strikes.Outages.Count > 0 && Strikes.Outages.Max(outage => outage.To) is var mended && mended > LastActed) LastActed = mended;
            if (stage.ProviderQuiet().IsCompleted && stage.Hosts.All(host => host.State is HostState.Up or HostState.Dead) && await AllOver(cancellation)) return true;
            await Task.Delay(BetweenLooks, cancellation);
        }

        return false;
    }

    private async Task<bool> AllOver(CancellationToken cancellation)
    {
        try
        {
            await Look(cancellation);
            return Statuses.Keys.All(status => status == "COMPLETED");
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private async Task Look(CancellationToken cancellation)
    {
        await using var connection = await stage.Rows.OpenConnectionAsync(cancellation);
        Statuses = (await connection.QueryAsync<(string Status, int Calls)>(new(StatusesSql, cancellationToken: cancellation))).ToDictionary(row => row.Status, row => row.Calls);
    }

    // A host that ends by itself is raised again, as a process manager does, and told of. While none is up nothing can be on time.
    private async Task Watch(CancellationToken cancellation)
    {
        DateTimeOffset? noneSince = null;
        while (!cancellation.IsCancellationRequested)
        {
            if (stage.Hosts.All(host => host.State != HostState.Up)) noneSince ??= DateTimeOffset.UtcNow - BetweenLooks;
            else if (noneSince is { } since)
            {
                Strikes.Note(new(since, DateTimeOffset.UtcNow));
                noneSince = null;
            }

            foreach (var host in stage.Hosts)
            {
                if (await host.RaiseIfFallen()) fallen.Enqueue($"host {host.Number} ended by itself; the end of its log says why");
            }

            await Task.Delay(BetweenLooks, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (Client is { Calls.Count: > 0 } && LastActed == default) await Look(cancellation);
            }
            catch (Exception away) when (away is NpgsqlException or OperationCanceledException)
            {
                // The next look will do: it is for the screen.
            }
        }
    }

    private const string RowSql = "select status, retries from calls where id = @id";

    private const string StatusesSql = "select status, count(*)::int from calls group by status";
}
