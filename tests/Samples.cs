using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;

namespace CallOrchestration.Tests;

/// <summary>Captured and documented payloads of Exotel, as they lie in <c>tests/samples</c>.</summary>
internal static partial class Samples
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "samples");

    public static IReadOnlyList<string> All => [.. Directory.GetFiles(Folder).Select(path => Path.GetFileName(path)!).Order()];

    public static string Text(string file) => File.ReadAllText(Path.Combine(Folder, file));

    /// <summary>The fields, named as in a form; a JSON sample's nested ones as <c>Legs[0][Number]</c>.</summary>
    public static IReadOnlyList<(string Name, string Value)> Fields(string file) => file.EndsWith(".json", StringComparison.Ordinal)
        ? [.. Flat("", JsonNode.Parse(Text(file)))]
        : [.. QueryHelpers.ParseQuery(Text(file).TrimEnd('\n')).Select(field => (field.Key, field.Value.ToString()))];

    public static string CallSid(string file) => Sid().Match(Text(file)).Value;

    /// <summary>A sample that is a multipart body already, byte for byte.</summary>
    public static ByteArrayContent Multipart(string file) => new(File.ReadAllBytes(Path.Combine(Folder, file)))
    {
        Headers = { ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=form-data-boundary-lebu8d9e3h8xzvhf") },
    };

    private static IEnumerable<(string, string)> Flat(string name, JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Flat(name.Length == 0 ? member.Key : $"{name}[{member.Key}]", member.Value)),
        JsonArray items => items.SelectMany((item, index) => Flat($"{name}[{index}]", item)),
        _ => [(name, node?.ToString() ?? "null")],
    };

    [GeneratedRegex("(?<=CallSid\"?[:=]? ?\"?)(?!name)[0-9a-z]{32}|(?<=name=\"CallSid\"\\s+)[0-9a-z]{32}")]
    private static partial Regex Sid();
}
