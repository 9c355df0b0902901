using System.Text.Json;
using CallOrchestration.Simulator.Provider;
using Dapper;
using Npgsql;

namespace CallOrchestration.Simulator.Storm;

/// <summary>One version of a call's row, as it was committed; the storm's own note of it.</summary>
internal sealed class RowVersion
{
    public DateTime At { get; init; }
    public Guid Id { get; init; }
    public bool Gone { get; init; }
    public Guid OrganizationId { get; init; }
    public string Direction { get; init; } = "";
    public string Status { get; init; } = "";
    public string? Outcome { get; init; }
    public int Retries { get; init; }
    public DateTime? NextActionAt { get; init; }
    public string? ProviderCallId { get; init; }
    public DateTime? StartedAt { get; init; }
    public int Claims { get; init; }
    public int Revision { get; init; }
}

/// <summary>A call's row when the storm was over.</summary>
internal sealed class FinalRow
{
    public Guid Id { get; init; }
    public Guid OrganizationId { get; init; }
    public string Direction { get; init; } = "";
    public string Status { get; init; } = "";
    public string? Outcome { get; init; }
    public string? ToNumber { get; init; }
    public int Retries { get; init; }
    public string? ProviderCallId { get; init; }
    public DateTime? EndedAt { get; init; }
    public string? IdempotencyKey { get; init; }
    public string? Metadata { get; init; }
    public string HistoryJson { get; init; } = "[]";
    public int HistoryDropped { get; init; }
    public int Revision { get; init; }

    public IReadOnlyList<Told> History => field ??= JsonSerializer.Deserialize<List<Told>>(HistoryJson, Host.ApiReply.SnakeCase)!;

    /// <summary>One entry of the history.</summary>
    internal sealed record Told(DateTimeOffset At, string Event, string Source, int Attempt, string Status, bool? Applied, JsonElement? Details)
    {
        public string? Detail(string name) => Details is { } details && details.TryGetProperty(name, out var value) ? value.ToString() : null;
    }
}

/// <summary>One call from all sides: what the client asked, what the provider did, what was committed.</summary>
internal sealed record CallEvidence(
    ClientCall Client, IReadOnlyList<FinalRow> Rows, IReadOnlyList<RowVersion> Versions, IReadOnlyList<LedgerEntry> Ledger)
{
    public PlannedCall Plan => Client.Plan;

    public IReadOnlyList<LedgerEntry> Dials { get; } = [.. Ledger.Where(entry => entry.Kind == LedgerKind.Dial).OrderBy(entry => entry.At)];

    public LedgerEntry? EndOf(LedgerEntry dial) => Ledger.FirstOrDefault(entry => entry.Kind == LedgerKind.End && entry.CallSid == dial.CallSid);

    public IEnumerable<LedgerEntry> Of(string kind) => Ledger.Where(entry => entry.Kind == kind);

    /// <summary>Short enough to read, and enough to find the call in logs and ledger.</summary>
    public string Name => $"call {Plan.Number} ({Plan.Kind.ToString().ToLowerInvariant()}, {(Rows.Count > 0 ? Rows[0].Id : "no row")})";
}

/// <summary>The ledger, as the story of each person who was called: dials name the number, and all else names the CallSid of a dial.</summary>
internal sealed class LedgerOfCalls(IReadOnlyCollection<LedgerEntry> ledger)
{
    private readonly ILookup<string, LedgerEntry> byCustomer = ledger.Where(entry => entry.From is not null).ToLookup(entry => entry.From!);
    private readonly ILookup<string, LedgerEntry> byCallSid = ledger.Where(entry => entry.CallSid is not null).ToLookup(entry => entry.CallSid!);

    public IReadOnlyList<LedgerEntry> Of(string customer) =>
    [
        .. byCustomer[customer].Concat(byCustomer[customer].Select(entry => entry.CallSid).OfType<string>().Distinct().SelectMany(sid => byCallSid[sid]))
            .Distinct().OrderBy(entry => entry.At),
    ];
}

/// <summary>Everything that is known of a storm when it is over.</summary>
internal sealed class Evidence
{
    public required StormRound Round { get; init; }
    public required IReadOnlyList<CallEvidence> Calls { get; init; }

    /// <summary>Rows that belong to no call of the client.</summary>
    public required IReadOnlyList<FinalRow> Strays { get; init; }

    /// <summary>Dials that name no call of the client.</summary>
    public required IReadOnlyList<LedgerEntry> StrayDials { get; init; }
    public required IReadOnlyDictionary<string, RowAtDial> RowsAtDial { get; init; }
    public required IReadOnlyList<StormOrganization> Organizations { get; init; }

    /// <summary>What the API lists for each organization; none where it could not be asked.</summary>
    public required IReadOnlyDictionary<Guid, IReadOnlyList<Guid>> Listed { get; init; }

    static Evidence() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    public static async Task<Evidence> Collect(
        StormRound round, StormStage stage, IReadOnlyDictionary<Guid, IReadOnlyList<Guid>> listed, IReadOnlyCollection<Guid> known, CancellationToken cancellation)
    {
        await using var connection = await stage.Rows.OpenConnectionAsync(cancellation);
        var rows = (await connection.QueryAsync<FinalRow>(new(RowsSql, cancellationToken: cancellation))).Where(row => !known.Contains(row.Id)).ToList();
        var versions = (await connection.QueryAsync<RowVersion>(new(VersionsSql, cancellationToken: cancellation))).ToLookup(version => version.Id);

        var byNumber = rows.Where(row => NumberOf(row, round.Plan.Seed) is not null).ToLookup(row => NumberOf(row, round.Plan.Seed)!.Value);
        var bySid = rows.Where(row => row is { Direction: "INBOUND", ProviderCallId: not null }).ToLookup(row => row.ProviderCallId!);
        var ledger = new LedgerOfCalls(round.Ledger);
        var calls = round.Client!.Calls.Select(call =>
        {
            var own = call.Plan.IsOutbound ? byNumber[call.Plan.Number] : call.CallSid is { } sid ? bySid[sid] : [];
            return new CallEvidence(call, [.. own], [.. own.SelectMany(row => versions[row.Id])], ledger.Of(call.Plan.Customer));
        }).ToList();
        var owned = calls.SelectMany(call => call.Rows).Select(row => row.Id).ToHashSet();
        return new()
        {
            Round = round,
            Calls = calls,
            Strays = [.. rows.Where(row => !owned.Contains(row.Id))],
            StrayDials = [.. round.Ledger.Where(entry => entry.Kind == LedgerKind.Dial && round.Plan.Find(entry.From!) is null)],
            RowsAtDial = round.RowsAtDial.ToDictionary(row => row.CallSid),
            Organizations = stage.Organizations,
            Listed = listed,
        };
    }

    private static int? NumberOf(FinalRow row, int seed)
    {
        if (row.Metadata is null) return null;
        using var metadata = JsonDocument.Parse(row.Metadata);
        return metadata.RootElement.TryGetProperty("storm", out var storm) && storm.GetInt32() == seed ? metadata.RootElement.GetProperty("number").GetInt32() : null;
    }

    private const string RowsSql =
        """
        select id, organization_id, direction, status, outcome, to_number, retries, provider_call_id, ended_at, idempotency_key, metadata::text as metadata,
            history::text as history_json, history_dropped, revision
        from calls
        """;

    private const string VersionsSql =
        """
        select at, id, gone, organization_id, direction, status, outcome, retries, next_action_at, provider_call_id, started_at, claims, revision
        from storm.versions
        order by number
        """;
}
