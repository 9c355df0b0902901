using System.Globalization;
using System.Text.Json.Nodes;

namespace CallOrchestration.Simulator.Exotel;

/// <summary>
/// What one request tells, as the provider's flat list of keys (<c>Legs[0][Status]</c>). Strings, numbers and null; the order is kept.
/// </summary>
internal sealed record Payload(params (string Key, object? Value)[] Fields)
{
    /// <summary>What a status callback says of the call, in one word; null where it says nothing.</summary>
    public string? Word => Value("EventType") == "answered" ? "answered" : Value("Status") is { Length: > 0 } status and not "null" ? status : null;

    public Payload With(params (string Key, object? Value)[] more) => new([.. Fields, .. more]);

    /// <summary>The form's view: everything is text, and what is missing is the word "null".</summary>
    public IEnumerable<KeyValuePair<string, string>> Flat() =>
        Fields.Select(field => KeyValuePair.Create(field.Key, Convert.ToString(field.Value, CultureInfo.InvariantCulture) is { Length: > 0 } text
            ? text
            : field.Value is null ? "null" : ""));

    /// <summary>The JSON view of the same fields: bracketed keys become objects, numbered ones arrays.</summary>
    public JsonObject Nested()
    {
        var json = new JsonObject();
        foreach (var (key, value) in Fields)
        {
            Put(json, key.Replace("]", "", StringComparison.Ordinal).Split('['), JsonValue.Create(value));
        }

        return json;
    }

    public string? Value(string key) => Array.Find(Fields, field => field.Key == key).Value as string;

    private static void Put(JsonNode into, ReadOnlySpan<string> path, JsonNode? value)
    {
        if (path.Length == 1)
        {
            into.AsObject()[path[0]] = value;
            return;
        }

        var (name, next) = (path[0], path[1]);
        if (into is JsonArray array)
        {
            var index = int.Parse(name, CultureInfo.InvariantCulture);
            while (array.Count <= index)
            {
                array.Add(new JsonObject());
            }

            Put(array[index]!, path[1..], value);
            return;
        }

        into[name] ??= int.TryParse(next, CultureInfo.InvariantCulture, out _) ? new JsonArray() : new JsonObject();
        Put(into[name]!, path[1..], value);
    }
}
