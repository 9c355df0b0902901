using System.Text.Json;
using System.Text.Json.Serialization;

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
internal sealed class Rfc3339 : JsonConverter<DateTimeOffset>
{
    // Beyond these PostgreSQL's driver would turn a time into infinity.
    internal static readonly DateTimeOffset Earliest = new(1970, 1, 1, 0, 0, 0, TimeSpan.Zero);
    internal static readonly DateTimeOffset Latest = new(9999, 1, 1, 0, 0, 0, TimeSpan.Zero);

    internal const string Expected = "must be a time with a zone, such as 2027-01-01T09:00:00Z";

    internal static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        // The length rules out what .NET takes besides: a date alone, or a time without seconds and zone.
        var zone = text.Length > 19 && text[10] is 'T' or 't' ? text[19..].TrimStart('.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9') : "";
        return (zone is "Z" or "z" || (zone.Length == 6 && zone[0] is '+' or '-' && zone[3] == ':'))
            && DateTimeOffset.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out time)
            && time >= Earliest && time < Latest;
    }

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString()!, out var time) ? time : throw new JsonException(Expected);

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.UtcDateTime);
}
