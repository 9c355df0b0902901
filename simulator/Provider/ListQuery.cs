using System.Globalization;
using System.Text;
using CallOrchestration.Simulator.Exotel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace CallOrchestration.Simulator.Provider;

/// <summary>What the list of calls was asked for. A filter that is not played is refused, as a list that ignores it would be a lie.</summary>
internal sealed class ListQuery
{
    private const int DefaultPageSize = 50;
    private const int LargestPage = 100;
    private const int MostValues = 5;
    private const int MostSids = 100;

    private static readonly TimeSpan India = new(5, 30, 0);
    private static readonly string[] Filters = ["Sid", "DateCreated", "From", "To", "PhoneNumber", "Status", "Direction", "SortBy", "PageSize"];
    private static readonly string[] Numbers = ["From", "To", "PhoneNumber"];

    private ListQuery()
    {
    }

    public int PageSize { get; private init; }
    public bool OldestFirst { get; private init; }

    /// <summary>The place in the order after, or before, which the page lies.</summary>
    public int? After { get; private init; }
    public int? Before { get; private init; }

    public required Func<ProviderCall, bool> Takes { get; init; }

    /// <summary>The query without its place, for the addresses of the other pages.</summary>
    public required string WithoutCursor { get; init; }

    public static string Cursor(ProviderCall call) => WebEncoders.Base64UrlEncode(Encoding.ASCII.GetBytes(FormattableString.Invariant($"call-{call.Sequence}")));

    /// <exception cref="FormatException">With the sentence for the client.</exception>
    public static ListQuery Of(IQueryCollection query)
    {
        if (query.Keys.FirstOrDefault(name => !Filters.Contains(name) && name is not ("Before" or "After" or "RecordingUrlValidity")) is { } unknown)
            throw new FormatException($"{unknown} is no filter here");
        if (query.ContainsKey("Before") && query.ContainsKey("After")) throw new FormatException("Before and After exclude each other");

        var (from, to) = Range(query["DateCreated"].ToString());
        var sids = Values(query, "Sid", MostSids);
        var numbers = Numbers.ToDictionary(name => name, name => Values(query, name, MostValues)?.Select(Number).ToHashSet());
        var statuses = Values(query, "Status", MostValues);
        var directions = Values(query, "Direction", MostValues);
        return new()
        {
            PageSize = Size(query["PageSize"].ToString()),
            OldestFirst = query["SortBy"].ToString() switch
            {
                "" or "DateCreated:desc" => false,
                "DateCreated:asc" => true,
                _ => throw new FormatException("SortBy can only be 'DateCreated:asc' or 'DateCreated:desc'"),
            },
            After = Place(query["After"].ToString()),
            Before = Place(query["Before"].ToString()),
            WithoutCursor = QueryString.Create(query.Where(pair => Filters.Contains(pair.Key))).Value!.TrimStart('?'),

            // DateCreated counts whole seconds, as it is shown: a call made at 10:00:00.9 is within lte:10:00:00.
            Takes = call => Second(call.Created) >= from && Second(call.Created) <= to
                && sids?.Contains(call.Sid) != false
                && numbers["From"]?.Contains(call.Asked.From) != false
                && numbers["To"]?.Contains(call.To) != false
                && numbers["PhoneNumber"]?.Contains(call.Asked.CallerId) != false
                && statuses?.Contains(call.State.Status) != false
                && directions?.Contains("outbound-api") != false,
        };
    }

    private static DateTimeOffset Second(DateTimeOffset at) => DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds());

    private static string[]? Values(IQueryCollection query, string name, int most)
    {
        if (!query.TryGetValue(name, out var text)) return null;

        // A plus that was not encoded is a space by now, and trimmed: real clients make this mistake every day.
        var values = text.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return values.Length <= most ? values : throw new FormatException($"{name} takes at most {most} values");
    }

    private static string Number(string text) => PhoneNumber.E164(text) ?? throw new FormatException($"'{text}' is not a phone number");

    private static (DateTimeOffset From, DateTimeOffset To) Range(string text)
    {
        var (from, to) = (DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        foreach (var bound in text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (bound.StartsWith("gte:", StringComparison.Ordinal)) from = Time(bound[4..]);
            else if (bound.StartsWith("lte:", StringComparison.Ordinal)) to = Time(bound[4..]);
            else throw new FormatException("DateCreated is written as 'gte:yyyy-MM-dd HH:mm:ss;lte:yyyy-MM-dd HH:mm:ss'");
        }

        return (from, to);
    }

    private static DateTimeOffset Time(string text) =>
        DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out var clock)
            ? new DateTimeOffset(clock, India)
            : throw new FormatException($"'{text}' is not a time as yyyy-MM-dd HH:mm:ss");

    private static int Size(string text) =>
        text.Length == 0 ? DefaultPageSize
        : int.TryParse(text, CultureInfo.InvariantCulture, out var size) && size is >= 1 and <= LargestPage ? size
        : throw new FormatException($"PageSize is a number from 1 to {LargestPage}");

    private static int? Place(string cursor)
    {
        if (cursor.Length == 0) return null;
        try
        {
            if (Encoding.ASCII.GetString(WebEncoders.Base64UrlDecode(cursor)).Split('-') is ["call", var place])
                return int.Parse(place, CultureInfo.InvariantCulture);
        }
        catch (FormatException)
        {
            // Not one of ours; said below.
        }

        throw new FormatException("Before and After take what a page's address gave");
    }
}
