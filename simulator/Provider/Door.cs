using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace CallOrchestration.Simulator.Provider;

/// <summary>Who may come in, and how often.</summary>
internal sealed class Door(ExotelOptions options)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly byte[] _credentials = Encoding.UTF8.GetBytes($"{options.Key}:{options.Token}");
    private readonly Queue<DateTimeOffset> _admitted = [];

    /// <summary>Why this request is turned away, or null. Those turned away do not count for the limit.</summary>
    public RestException? Refuses(HttpRequest request, string account) =>
        !Knows(request) ? RestException.WrongCredentials
        : account != options.Account ? RestException.NotFound($"/v1/Accounts/{account}")
        : Full();

    private bool Knows(HttpRequest request)
    {
        if (!AuthenticationHeaderValue.TryParse(request.Headers.Authorization, out var header)
            || !header.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase)) return false;

        var given = new byte[header.Parameter?.Length ?? 0];
        return Convert.TryFromBase64String(header.Parameter ?? "", given, out var length)
            && CryptographicOperations.FixedTimeEquals(given.AsSpan(0, length), _credentials);
    }

    private RestException? Full()
    {
        lock (_admitted)
        {
            var now = options.Time.GetUtcNow();
            while (_admitted.TryPeek(out var oldest) && oldest + Minute <= now) _admitted.Dequeue();
            if (_admitted.Count >= options.CallsPerMinute)
                return RestException.TooMany((int)Math.Ceiling((_admitted.Peek() + Minute - now).TotalSeconds));

            _admitted.Enqueue(now);
            return null;
        }
    }
}
