using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace CallOrchestration.Calls;

/// <summary>A string that already is JSON: written as it stands, so that a client gets its metadata back as it gave it.</summary>
internal sealed class RawJson : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        return document.RootElement.GetRawText();
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value, skipInputValidation: true);
}

/// <summary>
/// RFC 3339. Read with any offset, but never without one: a time without a zone would mean another moment on another host.
/// Written in UTC with a Z.
/// </summary>
internal sealed partial class Rfc3339 : JsonConverter<DateTimeOffset>
{
    // Beyond these PostgreSQL's driver would turn a time into infinity.
    internal static readonly DateTimeOffset Earliest = new(1970, 1, 1, 0, 0, 0, TimeSpan.Zero);
    internal static readonly DateTimeOffset Latest = new(9999, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal const string Expected = "must be a time with a zone, such as 2027-01-01T09:00:00Z";

    internal static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        // .NET takes much besides: a date alone, a time without a zone, slashes.
        if (!Form().IsMatch(text)
            || !DateTimeOffset.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out time)
            || time < Earliest || time >= Latest)
        {
            return false;
        }

        // PostgreSQL keeps microseconds: what is answered before it was stored must not know more.
        time = time.AddTicks(-(time.Ticks % TimeSpan.TicksPerMicrosecond));
        return true;
    }

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\z")]
    private static partial Regex Form();

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString()!, out var time) ? time : throw new JsonException(Expected);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.UtcDateTime);
}
