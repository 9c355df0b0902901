using System.Text.Json.Nodes;

namespace CallOrchestration.Simulator.Provider;

/// <summary>One page of the list, in the order asked for, with the addresses of its neighbours.</summary>
internal sealed class CallList(ExotelOptions options, Ledger ledger, CallBook book, CallObject shown)
{
    /// <summary>Null: answered with an error.</summary>
    public JsonObject? Page(ListQuery query)
    {
        var seen = book.All().Where(query.Takes).Select(call => (Call: call, Seen: call.LookUp(ledger))).ToList();
        if (seen.Any(look => look.Seen.Error == 500)) return null;
        // Calls still going on are left out, as documented.
        var all = seen.Where(look => look.Seen is { Error: null, State.Ended: not null }).Select(look => look.Call);
        var ordered = (query.OldestFirst ? all.OrderBy(call => call.Sequence) : all.OrderByDescending(call => call.Sequence)).ToList();

        // By place and not by index: calls that come to an end meanwhile do not move a page.
        var first = query.After is { } after ? ordered.FindIndex(call => Follows(call, after, query))
            : query.Before is { } before ? Math.Max(0, EndBefore(ordered, before, query) - query.PageSize)
            : 0;
        var page = first < 0 ? [] : ordered.Skip(first).Take(query.Before is { } end ? EndBefore(ordered, end, query) - first : query.PageSize).ToList();

        return new()
        {
            ["Metadata"] = new JsonObject
            {
                ["Total"] = ordered.Count,
                ["PageSize"] = query.PageSize,
                ["FirstPageUri"] = Uri(query, null),
                ["PrevPageUri"] = page is [var top, ..] && top != ordered[0] ? Uri(query, $"Before={ListQuery.Cursor(top)}") : null,
                ["NextPageUri"] = page is [.., var bottom] && bottom != ordered[^1] ? Uri(query, $"After={ListQuery.Cursor(bottom)}") : null,
            },
            ["Calls"] = new JsonArray([.. page.Select(call => shown.Of(call, call.State))]),
        };
    }

    private static bool Follows(ProviderCall call, int place, ListQuery query) => query.OldestFirst ? call.Sequence > place : call.Sequence < place;

    private static int EndBefore(List<ProviderCall> ordered, int place, ListQuery query)
    {
        var end = ordered.FindIndex(call => call.Sequence == place || Follows(call, place, query));
        return end < 0 ? ordered.Count : end;
    }

    private string Uri(ListQuery query, string? cursor)
    {
        var parts = string.Join('&', ((string?[])[query.WithoutCursor, cursor]).Where(part => !string.IsNullOrEmpty(part)));
        return $"/v1/Accounts/{options.Account}/Calls.json{(parts.Length > 0 ? "?" : "")}{parts}";
    }
}
