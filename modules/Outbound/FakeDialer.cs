using System.Globalization;

namespace CallOrchestration.Outbound;

/// <summary>
/// The default dialler: accepts every dial with a provider call id, and places nothing. For given numbers it behaves as a provider
/// does on a bad day (<c>Dialer__Fake__…</c>), so that every branch of the trigger can be shown.
/// </summary>
internal sealed class FakeDialer(IReadOnlyDictionary<string, FakeDialer.Behaviour> behaviours, TimeSpan retryAfter) : IDialer
{
    private const string DigitOfDay = "0123456789abcdefghijklmnopqrstuv";

    internal enum Behaviour
    {
        Refuse,
        Throttle,
        Unreachable,
        TimeOut,
        Error,
        Throw,
    }

    public static FakeDialer From(Settings settings)
    {
        var behaviours = new Dictionary<string, Behaviour>();
        foreach (var behaviour in Enum.GetValues<Behaviour>())
        {
            var key = $"Dialer:Fake:{behaviour}";
            foreach (var number in settings.Numbers(key))
            {
                if (!behaviours.TryAdd(number, behaviour))
                    throw new SettingException(key, $"names a number that Dialer__Fake__{behaviours[number]} names too");
            }
        }

        return new(behaviours, settings.Duration("Dialer:Fake:RetryAfter", TimeSpan.FromSeconds(30), TimeSpan.Zero, TimeSpan.FromHours(1)));
    }

    // 32 characters, as Exotel's CallSid, and the last four are its day as there: 1abs is 2026-11-28.
    private static string NewCallSid()
    {
        var today = DateTime.UtcNow;
        return string.Create(CultureInfo.InvariantCulture, $"{Guid.NewGuid().ToString("N")[..28]}{today.Year - 2000:x2}{today.Month:x}{DigitOfDay[today.Day]}");
    }

    public async Task<DialResult> Dial(DialRequest request, CancellationToken cancellation)
    {
        if (!behaviours.TryGetValue(request.To, out var behaviour))
        {
            return new DialResult.Accepted(NewCallSid());
        }

        switch (behaviour)
        {
            case Behaviour.Refuse: return new DialResult.Refused("403: refused by the fake dialler");
            case Behaviour.Throttle: return new DialResult.NotSent("429: throttled by the fake dialler", retryAfter);
            case Behaviour.Unreachable: return new DialResult.NotSent("connection refused by the fake dialler");
            case Behaviour.Error: return new DialResult.Unknown("500: error of the fake dialler");
            case Behaviour.TimeOut:
                await Task.Delay(Timeout.Infinite, cancellation);
                throw new InvalidOperationException("An endless wait has ended.");
            case Behaviour.Throw: throw new InvalidOperationException("The fake dialler was told to throw.");
            default: throw new InvalidOperationException($"The fake dialler does not know the behaviour {behaviour}.");
        }
    }
}
