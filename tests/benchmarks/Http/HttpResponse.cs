using System.Buffers.Text;

namespace CallOrchestration.Benchmarks.Http;

/// <summary>Finds the end of an HTTP/1.1 response, and its status: all that a load generator has to know of it.</summary>
internal static class HttpResponse
{
    private const int StatusAt = 9; // after "HTTP/1.1 "

    /// <summary>The length of the response at the beginning of what was received; null as long as it is not whole.</summary>
    /// <exception cref="CannotMeasureException">It is no response, or says nothing of its length.</exception>
    public static int? Length(ReadOnlySpan<byte> received, out int status)
    {
        status = 0;
        var head = received.IndexOf("\r\n\r\n"u8);
        if (head < 0) return null;
        if (!received.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(received.Slice(StatusAt, 3), out status, out _))
            throw new CannotMeasureException("The server answered with something that is no HTTP/1.1 response.");

        var headers = received[..(head + 2)];
        var body = head + 4;
        if (Header(headers, "content-length: "u8) is { Length: > 0 } length && Utf8Parser.TryParse(length, out int bytes, out _))
            return received.Length >= body + bytes ? body + bytes : null;
        if (Header(headers, "transfer-encoding: "u8).StartsWith("chunked"u8)) return Chunks(received, body);
        throw new CannotMeasureException("The server's response says nothing of its length.");
    }

    // A size in hexadecimal, the bytes, and so on until a size of nothing.
    private static int? Chunks(ReadOnlySpan<byte> received, int at)
    {
        while (true)
        {
            var line = received[at..].IndexOf("\r\n"u8);
            if (line < 0) return null;
            if (!Utf8Parser.TryParse(received.Slice(at, line), out int size, out _, 'x'))
                throw new CannotMeasureException("The server sent a chunk without a size.");
            at += line + 2 + size + 2;
            if (at > received.Length) return null;
            if (size == 0) return at;
        }
    }

    // Servers write the names in different cases.
    private static ReadOnlySpan<byte> Header(ReadOnlySpan<byte> headers, ReadOnlySpan<byte> name)
    {
        while (headers.IndexOf("\r\n"u8) is var end and >= 0)
        {
            var line = headers[..end];
            if (line.Length > name.Length && System.Text.Ascii.EqualsIgnoreCase(line[..name.Length], name)) return line[name.Length..];
            headers = headers[(end + 2)..];
        }

        return [];
    }
}
