using System.Text.RegularExpressions;

namespace CallOrchestration.Calls;

/// <summary>Phone numbers: E.164 inside, the provider's many forms outside.</summary>
public static partial class PhoneNumber
{
    /// <summary>What <see cref="IsE164"/> takes, for error messages.</summary>
    public const string Expected = "must be an E.164 number, such as +919900000001";

    private const string IndiaCountryCode = "91";
    private const int IndiaNationalDigits = 10;

    /// <summary>A plus, a country code, and 7 to 15 digits in all.</summary>
    public static bool IsE164(string? number) => number is not null && E164().IsMatch(number);

    /// <summary>
    /// E.164 from what Exotel sends: <c>09900000001</c> even where E.164 was dialled, <c>+91…</c>, <c>91…</c>, ten bare digits, SIP
    /// addresses. What is none of these (a masked number, an extension) comes back as it was sent.
    /// </summary>
    public static string Normalize(string sent)
    {
        var number = SipUser().Match(sent) is { Success: true } sip ? sip.Groups["user"].Value : sent;
        number = Separators().Replace(number, "");
        if (number.StartsWith("00", StringComparison.Ordinal)) number = "+" + number[2..];
        if (IsE164(number)) return number;
        if (!Digits().IsMatch(number)) return sent;

        var national = number.TrimStart('0');
        if (national.Length == IndiaNationalDigits) return $"+{IndiaCountryCode}{national}";
        if (national.Length == IndiaNationalDigits + IndiaCountryCode.Length && national.StartsWith(IndiaCountryCode, StringComparison.Ordinal))
            return $"+{national}";
        return sent;
    }

    [GeneratedRegex(@"\A\+[1-9][0-9]{6,14}\z")]
    private static partial Regex E164();

    [GeneratedRegex(@"\A<?sips?:(?<user>[^@;>]+)", RegexOptions.IgnoreCase)]
    private static partial Regex SipUser();

    [GeneratedRegex(@"[\s().-]")]
    private static partial Regex Separators();

    [GeneratedRegex(@"\A[0-9]+\z")]
    private static partial Regex Digits();
}
