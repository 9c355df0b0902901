namespace CallOrchestration.Simulator.Provider;

/// <summary>The spellings of a number that Exotel takes: E.164, without the plus, with a zero, or ten bare digits.</summary>
internal static class PhoneNumber
{
    /// <summary>E.164, or null where this is no number. What names no country is India's, as with the real one.</summary>
    public static string? E164(string text)
    {
        var digits = text.StartsWith('+') ? text[1..] : text;
        if (digits.TrimStart('0').Length < 7 || digits.Length > 15 || !digits.All(char.IsAsciiDigit)) return null;

        return text switch
        {
            ['+', ..] => text,
            ['0', .. { Length: 10 } national] => "+91" + national,
            { Length: 10 } => "+91" + text,
            _ => "+" + digits.TrimStart('0'),
        };
    }

    /// <summary>As much of it as a screen may show.</summary>
    public static string Shortened(string number) => "…" + number[^4..];
}
