using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace CallOrchestration.Simulator.Exotel;

/// <summary>How a payload travels. Applets ask with a query; status callbacks are multipart unless somebody asked for another form.</summary>
internal enum Wire
{
    Query,
    Multipart,
    UrlEncoded,
    Json,
}

internal static class ExotelRequest
{
    /// <param name="url">The webhook's address, with its token, if it has one, in the query.</param>
    public static HttpRequestMessage To(string url, Payload payload, Wire wire) => wire switch
    {
        Wire.Query => new(HttpMethod.Get, $"{url}{(url.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{Encode(payload)}"),
        Wire.Multipart => new(HttpMethod.Post, url) { Content = Multipart(payload) },
        Wire.UrlEncoded => new(HttpMethod.Post, url) { Content = Text(Encode(payload), "application/x-www-form-urlencoded") },
        Wire.Json => new(HttpMethod.Post, url) { Content = Text(payload.Nested().ToJsonString(), "application/json") },
        _ => throw new ArgumentOutOfRangeException(nameof(wire)),
    };

    private static string Encode(Payload payload) =>
        string.Join('&', payload.Flat().Select(field => $"{WebUtility.UrlEncode(field.Key)}={WebUtility.UrlEncode(field.Value)}"));

    private static ByteArrayContent Text(string text, string mediaType)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        return content;
    }

    // By hand and not by MultipartFormDataContent: that one gives every part a content type and leaves the names unquoted, which Exotel
    // does not do, and a form reader must live with what Exotel does.
    private static ByteArrayContent Multipart(Payload payload)
    {
        var boundary = "form-data-boundary-" + Line.NewCallSid()[^16..];
        var body = new StringBuilder();
        foreach (var (name, value) in payload.Flat())
        {
            body.Append("--").Append(boundary).Append("\r\n")
                .Append("Content-Disposition: form-data; name=\"").Append(name).Append("\"\r\n\r\n")
                .Append(value).Append("\r\n");
        }

        body.Append("--").Append(boundary).Append("--\r\n");

        var content = Text(body.ToString(), "multipart/form-data");
        content.Headers.ContentType!.Parameters.Add(new NameValueHeaderValue("boundary", boundary));
        return content;
    }
}
