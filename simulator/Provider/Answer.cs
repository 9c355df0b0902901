using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace CallOrchestration.Simulator.Provider;

/// <summary>Answers one request in the form that its path asked for: JSON with <c>.json</c>, XML without.</summary>
internal sealed class Answer(HttpContext context, bool json)
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public Task Write(JsonObject body) => Write(200, Text(body));

    /// <param name="status">Other than the error's own only where a 200 hides an error.</param>
    public Task Refuse(RestException error, int? status = null)
    {
        if (error.RetryAfter is { } seconds) context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (error.Status == 401) context.Response.Headers.WWWAuthenticate = "Basic realm=\"Exotel\"";

        var inner = new JsonObject { ["Status"] = error.Status, ["Message"] = error.Message };
        if (error.Code is { } code) inner["Code"] = code;
        return Write(status ?? error.Status, Text(new() { ["RestException"] = inner }));
    }

    /// <summary>A complete HTTP answer with the first half of its body: only a parser notices.</summary>
    public Task WriteHalf(JsonObject body)
    {
        var text = Text(body);
        return Write(200, text[..(text.Length / 2)]);
    }

    private async Task Write(int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = json ? "application/json" : "application/xml";
        var bytes = Encoding.UTF8.GetBytes(text);
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes);
        await context.Response.CompleteAsync();
    }

    private string Text(JsonObject body) => json
        ? body.ToJsonString(Readable)
        : $"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{Element("TwilioResponse", body)}\n";

    // Exotel's XML is its JSON with elements for names. A list's items carry their own name, or the list's in the singular.
    private static XElement Element(string name, JsonNode? node) => node switch
    {
        null => new(name),
        JsonObject members => new(name, members.Select(member => Element(member.Key, member.Value))),
        JsonArray items => new(name, items.Select(item => item is JsonObject { Count: 1 } named
            ? Element(named.First().Key, named.First().Value)
            : Element(name[..^1], item))),
        _ => new(name, node.ToString()),
    };
}
