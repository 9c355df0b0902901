using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace CallOrchestration.Simulator.Storm;

/// <summary>Cuts one direction of a PostgreSQL connection into its messages (protocol 3.0: a type of one byte, a length of four, the body).</summary>
internal sealed class PostgresFrames(bool begins)
{
    private const int Head = 5;

    // The first message of a client has no type.
    private bool begins = begins;
    private byte[] buffer = new byte[64 * 1024];
    private int from;
    private int to;

    /// <summary>Where the next bytes are to be read to.</summary>
    public Memory<byte> Room()
    {
        if (from == to) (from, to) = (0, 0);
        if (to == buffer.Length)
        {
            if (from == 0) Array.Resize(ref buffer, buffer.Length * 2);
            else buffer.AsSpan(from, to - from).CopyTo(buffer);
            (from, to) = (0, to - from);
        }

        return buffer.AsMemory(to);
    }

    public void Add(int count) => to += count;

    /// <summary>The next whole message with its head, and its type (0: the first message of a client); false where it has not arrived yet.</summary>
    public bool TryRead(out char type, out ReadOnlyMemory<byte> message)
    {
        (type, message) = ('\0', default);
        var head = begins ? Head - 1 : Head;
        if (to - from < head) return false;
        var length = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(from + head - 4)) + (begins ? 0 : 1);
        if (to - from < length) return false;
        type = begins ? '\0' : (char)buffer[from];
        message = buffer.AsMemory(from, length);
        from += length;
        begins = false;
        return true;
    }
}

/// <summary>Follows what a client sends, and knows when it asks for a commit of something written.</summary>
internal sealed partial class CommitWatch
{
    private const int Head = 5;

    private readonly Dictionary<string, bool> writes = [];
    private bool inTransaction;
    private bool wrote;

    /// <summary>Whether the server commits a change when it gets this message.</summary>
    public bool Commits(char type, ReadOnlySpan<byte> message)
    {
        switch (type)
        {
            case 'P':
                var (name, text) = (Text(message, 0), Text(message, 1));
                writes[name] = Writing().IsMatch(text);
                return false;
            case 'B':
                wrote |= writes.GetValueOrDefault(Text(message, 1));
                return false;
            case 'Q':
                return Runs(Text(message, 0).TrimStart());
            case 'S' when wrote && !inTransaction:
                wrote = false;
                return true;
            default:
                return false;
        }
    }

    private bool Runs(string query)
    {
        if (query.StartsWith("BEGIN", StringComparison.OrdinalIgnoreCase))
        {
            inTransaction = true;
            return false;
        }

        var ends = query.StartsWith("COMMIT", StringComparison.OrdinalIgnoreCase) || query.StartsWith("ROLLBACK", StringComparison.OrdinalIgnoreCase);
        if (!ends)
        {
            wrote |= Writing().IsMatch(query);
            if (inTransaction) return false;
        }

        var commits = wrote && !query.StartsWith("ROLLBACK", StringComparison.OrdinalIgnoreCase);
        (inTransaction, wrote) = (false, false);
        return commits;
    }

    // The n-th of the texts, each with a zero behind it, that follow the head.
    private static string Text(ReadOnlySpan<byte> message, int number)
    {
        var rest = message[Head..];
        for (; number > 0; number--) rest = rest[(rest.IndexOf((byte)0) + 1)..];
        return Encoding.UTF8.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    // At the beginning of a line, so that "for no key update" is none.
    [GeneratedRegex(@"^\s*(insert\s+into|update|delete\s+from)\s", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex Writing();
}
