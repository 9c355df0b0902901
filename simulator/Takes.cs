using System.CommandLine.Parsing;
using System.Globalization;

namespace CallOrchestration.Simulator;

/// <summary>What an option takes: reads the word, or says in one sentence what would have been right.</summary>
internal static class Takes
{
    public static Uri? Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0 ? uri : null;

    public static string? Secret(string text) => text.Length > 0 && text.All(letter => letter is > ' ' and <= '~') ? text : null;

    public static double? Number(string text, double least, double most) =>
        double.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null;

    public static int? Whole(string text, int least, int most) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null;

    /// <param name="takes">Completes the sentence "--option takes …".</param>
    /// <param name="secret">The word that was given is not repeated.</param>
    public static Func<ArgumentResult, T?> Parsed<T>(Func<string, T?> read, string takes, bool secret = false)
        where T : class => result => read(Word(result)) ?? Refuse<T>(result, takes, secret);

    public static Func<ArgumentResult, T?> ParsedValue<T>(Func<string, T?> read, string takes)
        where T : struct => result => read(Word(result)) ?? Refuse<T?>(result, takes, secret: false);

    private static string Word(ArgumentResult result) => result.Tokens[0].Value;

    private static T? Refuse<T>(ArgumentResult result, string takes, bool secret)
    {
        var option = (result.Parent as OptionResult)?.Option.Name;
        result.AddError(secret ? $"{option} takes {takes}." : $"{option} takes {takes}, not '{Word(result)}'.");
        return default;
    }
}
