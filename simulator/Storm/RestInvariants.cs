using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>What a host holds at one moment.</summary>
/// <param name="Host">Its number.</param>
/// <param name="Since">When its process was started.</param>
/// <param name="Connections">To the database.</param>
/// <param name="MemoryMegabytes">Resident.</param>
internal sealed record AtRest(int Host, DateTimeOffset Since, int Connections, double MemoryMegabytes);

/// <summary>What a storm leaves behind in the hosts and in their logs. Invariants 12 and 13.</summary>
internal static partial class RestInvariants
{
    // One for each of a host's loops and what looks whether it is well.
    private const int ConnectionsAtRest = 6;

    // The runtime keeps what it has had for a while; what grows beyond this was lost. A host that has been through a storm has all that it needs.
    private const double MoreMemoryMegabytes = 256;
    private const double MoreMemoryWhenWarmMegabytes = 96;

    // The pool closes what is not used within seconds, and the server's transactions have limits of ten and fifteen.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(250);

    public static IReadOnlyList<AtRest> Measure(IReadOnlyList<StormHost> hosts) => [.. hosts
        .Where(host => host.ProcessId is not null)
        .Select(host => new AtRest(host.Number, host.Since, host.Proxy.Open, ResidentMegabytes(host.ProcessId!.Value)))];

    /// <summary>Waits until the hosts are at rest, and says what is not.</summary>
    /// <param name="stage">The hosts.</param>
    /// <param name="round">What was played.</param>
    /// <param name="before">What they held before.</param>
    /// <param name="warm">That was after another storm on the same hosts.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public static async Task<IEnumerable<Violation>> Check(
        StormStage stage, StormRound round, IReadOnlyList<AtRest> before, bool warm, CancellationToken cancellation)
    {
        var found = new List<string>();
        for (var began = DateTimeOffset.UtcNow; ; await Task.Delay(BetweenLooks, cancellation))
        {
            // Whoever is asked uses the connections that its pool still has, one after the other: what then lies idle is in no pool.
            var asked = await Task.WhenAll(stage.Hosts.Where(host => host.State == HostState.Up).Select(async host => (host.Number, Ready: await host.IsReady(cancellation))));
            found = [.. await Open(stage, cancellation), .. asked.Where(host => !host.Ready).Select(host => $"host {host.Number} is not ready at rest")];
            if (found.Count == 0 || DateTimeOffset.UtcNow - began > Patience) break;
        }

        foreach (var (then, now) in before.Join(Measure(stage.Hosts), rest => (rest.Host, rest.Since), rest => (rest.Host, rest.Since), (then, now) => (then, now)))
        {
            if (now.MemoryMegabytes > then.MemoryMegabytes + (warm ? MoreMemoryWhenWarmMegabytes : MoreMemoryMegabytes))
                found.Add(string.Create(CultureInfo.InvariantCulture, $"host {now.Host} has {now.MemoryMegabytes:0} MB, and had {then.MemoryMegabytes:0} MB"));
        }

        return found.Concat(round.Fallen).Select(what => new Violation(Invariant.BackAtRest, what));
    }

    /// <summary>Looks for each number, key and token of the round in every log of the hosts and of PostgreSQL.</summary>
    public static IEnumerable<Violation> CheckLogs(StormStage stage, StormRound round)
    {
        // National digits: in whichever form a number is written, they are in it.
        var numbers = round.Plan.Calls.Select(call => call.Customer[3..]).Concat(stage.Organizations.Select(organization => organization.Phone[3..])).ToHashSet();
        var secrets = stage.Organizations.SelectMany(organization => new[] { organization.ApiKey, organization.WebhookToken })
            .Concat([new Provider.ExotelOptions().Key, new Provider.ExotelOptions().Token]).Concat(round.Signatures).ToHashSet();
        var logs = Directory.EnumerateFiles(stage.Directory, "*.log*").ToList();
        if (logs.Count == 0) yield return new(Invariant.SilentLogs, "there is no log to look into");
        foreach (var log in logs)
        {
            foreach (var (line, number) in File.ReadLines(log).Select((line, index) => (line, index + 1)))
            {
                if (Digits().Matches(line).SelectMany(match => Tens(match.Value)).Any(numbers.Contains)) yield return new(Invariant.SilentLogs, $"a phone number in {Path.GetFileName(log)}, line {number}");
                if (LongWord().Matches(line).Any(match => secrets.Contains(match.Value))) yield return new(Invariant.SilentLogs, $"a key, token or signature in {Path.GetFileName(log)}, line {number}");
            }
        }
    }

    private static async Task<IEnumerable<string>> Open(StormStage stage, CancellationToken cancellation)
    {
        var tooMany = stage.Hosts.Where(host => host.State == HostState.Up && host.Proxy.Open > ConnectionsAtRest)
            .Select(host => $"host {host.Number} holds {host.Proxy.Open} connections at rest");
        try
        {
            await using var connection = await stage.Rows.OpenConnectionAsync(cancellation);
            var (transactions, lost, what) = await connection.QuerySingleAsync<(int, int, string?)>(new(OpenSql, cancellationToken: cancellation));
            if (transactions > 0) tooMany = tooMany.Append($"{transactions} transactions of hosts are open at rest");
            return lost == 0 ? tooMany : tooMany.Append($"{lost} connections of hosts that nobody uses, and no pool closes; on them last: {what}");
        }
        catch (NpgsqlException)
        {
            return tooMany.Append("the database is not there at rest");
        }
    }

    // A number may stand within a longer run of digits, behind a country code.
    private static IEnumerable<string> Tens(string digits) => Enumerable.Range(0, digits.Length - 9).Select(start => digits.Substring(start, 10));

    private static double ResidentMegabytes(int process)
    {
        const string Resident = "VmRSS:";
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(Resident, StringComparison.Ordinal));
            return double.Parse(line[Resident.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
        }
        catch (IOException)
        {
            return 0; // a system without /proc, or a process that has just ended
        }
    }

    // What lies idle in a pool is closed after three seconds or used; a connection that was not given back never is.
    private const string OpenSql =
        """
        select
            count(*) filter (where xact_start < clock_timestamp() - interval '2 seconds')::int,
            count(*) filter (where is_lost)::int,
            string_agg(application_name || ': ' || left(regexp_replace(query, '\s+', ' ', 'g'), 60), '; ') filter (where is_lost)
        from pg_stat_activity
        cross join lateral (select state = 'idle' and state_change < clock_timestamp() - interval '15 seconds' as is_lost) as judged
        where datname = current_database() and application_name like 'call-orchestration%'
        """;

    [GeneratedRegex(@"[0-9]{10,}")]
    private static partial Regex Digits();

    [GeneratedRegex(@"[A-Za-z0-9_\-]{8,}")]
    private static partial Regex LongWord();
}
