using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace CallOrchestration.Calls;

/// <summary>
/// A webhook of the provider as flat fields, however it came: query, urlencoded, multipart or JSON. Nested JSON becomes the keys that
/// Exotel uses in forms (<c>Legs[0][OnCallDuration]</c>). Names are looked up without regard to case. Absent, empty and <c>null</c> are
/// the same: not there.
/// </summary>
public sealed class ProviderRequest
{
    /// <summary>The most bytes of a request's body, on the API too; Kestrel answers 413 past it.</summary>
    public const int BodyBytes = 64 * 1024;

    // What history keeps of one request: enough for the largest that Exotel sends, many times over, and a bound for the row.
    private const int KeptFields = 100;
    private const int KeptCharacters = 8 * 1024;

    // Ours, in the URL that we gave the provider: references and secrets, not news.
    private static readonly HashSet<string> OwnParameters = new(StringComparer.OrdinalIgnoreCase) { "token", "signature", "call", "attempt" };

    private readonly Dictionary<string, string> fields = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The value of the first of these fields that is there.</summary>
    public string? this[params ReadOnlySpan<string> names]
    {
        get
        {
            foreach (var name in names)
            {
                if (fields.TryGetValue(name, out var value)) return value;
            }

            return null;
        }
    }

    /// <summary>The names of all fields that are there.</summary>
    public IReadOnlyCollection<string> Names => fields.Keys;

    /// <summary>The fields as a JSON object for the history, cut to a bound that no real request reaches.</summary>
    public string Details()
    {
        var kept = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var room = KeptCharacters;
        foreach (var (name, value) in fields)
        {
            if (kept.Count == KeptFields || name.Length + value.Length > room) continue;
            room -= name.Length + value.Length;
            kept[name] = value;
        }

        if (kept.Count < fields.Count) kept["fields_dropped"] = (fields.Count - kept.Count).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return JsonSerializer.Serialize(kept);
    }

    /// <summary>Reads the request; the body's fields win over the query's.</summary>
    /// <exception cref="BadHttpRequestException">The body is too large, or neither form nor JSON.</exception>
    public static async Task<ProviderRequest> Read(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var request = new ProviderRequest();
        foreach (var (name, values) in context.Request.Query)
        {
            if (!OwnParameters.Contains(name)) request.Add(name, values[^1]);
        }

        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        try
        {
            if (body.Length > 0) await request.ReadBody(body.ToArray(), context.Request.ContentType);
        }
        catch (Exception error) when (error is JsonException or InvalidDataException or IOException)
        {
            throw new BadHttpRequestException("The body is neither a form nor a JSON object.", error);
        }

        // One parameter carries a whole object in some versions of the stream applet.
        if (request["Stream"] is { } stream && stream.StartsWith('{')) request.AddJson("Stream", stream);
        return request;
    }

    private async Task ReadBody(byte[] body, string? contentType)
    {
        if (MediaTypeHeaderValue.TryParse(contentType, out var type) && type.MediaType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase))
        {
            var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).Value;
            if (string.IsNullOrEmpty(boundary)) throw new InvalidDataException("no boundary");
            var reader = new MultipartReader(boundary, new MemoryStream(body));
            while (await reader.ReadNextSectionAsync() is { } section)
            {
                using var value = new StreamReader(section.Body, Encoding.UTF8);
                if (section.GetContentDispositionHeader()?.Name.Value is { } name)
                    Add(HeaderUtilities.RemoveQuotes(name).Value!, await value.ReadToEndAsync());
            }
        }
        else if (Encoding.UTF8.GetString(body).TrimStart('\uFEFF', ' ', '\r', '\n', '\t') is var text && text.StartsWith('{'))
        {
            // Recognised by its first character: JSON is sent under the names of other types too.
            using var json = JsonDocument.Parse(text);
            AddJson("", json.RootElement);
        }
        else if (text.Contains('='))
        {
            foreach (var (name, values) in QueryHelpers.ParseQuery(text.Trim())) Add(name, values[^1]);
        }
        else if (text.Length > 0)
        {
            throw new InvalidDataException("no field");
        }
    }

    private void AddJson(string name, string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            AddJson(name, json.RootElement);
        }
        catch (JsonException)
        {
            // It only looked like JSON: the field stays as the text that it is.
        }
    }

    private void AddJson(string name, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject()) AddJson(name.Length == 0 ? member.Name : $"{name}[{member.Name}]", member.Value);
                break;
            case JsonValueKind.Array:
                foreach (var (index, item) in value.EnumerateArray().Index()) AddJson($"{name}[{index}]", item);
                break;
            case JsonValueKind.String:
                Add(name, Text(value));
                break;
            default:
                Add(name, value.GetRawText());
                break;
        }
    }

    // A string with half a surrogate pair is valid JSON and no valid text: it is kept as it was written.
    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return value.GetRawText();
        }
    }

    private void Add(string name, string? value)
    {
        // PostgreSQL's text takes no NUL; Exotel wraps digits in quotes and writes absent values as null or "null".
        name = name.Replace("\0", "", StringComparison.Ordinal);
        value = value?.Replace("\0", "", StringComparison.Ordinal).Trim();
        if (value is ['"', .., '"']) value = value[1..^1].Trim();
        if (name.Length == 0 || string.IsNullOrEmpty(value) || value.Equals("null", StringComparison.OrdinalIgnoreCase)) return;
        fields[name] = value;
    }
}
