using System.Data;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using FluentValidation;

namespace CallOrchestration.Calls;

/// <summary>What a customer who answers is connected with: exactly one of the three.</summary>
/// <param name="FlowUrl">A call flow of the provider's account (Exotel's <c>Url</c>).</param>
/// <param name="StreamUrl">A websocket that talks, for voice bots (Exotel's <c>StreamUrl</c>, bidirectional).</param>
/// <param name="Number">A second number, E.164 (Exotel's <c>To</c>).</param>
public sealed record CallConnection(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? FlowUrl,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? StreamUrl,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Number)
{
    private const int UrlLength = 1000;

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Whether exactly one is given.</summary>
    [JsonIgnore]
    public bool IsOne => ((string?[])[FlowUrl, StreamUrl, Number]).Count(given => given is not null) == 1;

    /// <summary>As the column <c>connect</c> keeps it.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SnakeCase);

    internal sealed class Rules : AbstractValidator<CallConnection>
    {
        public Rules()
        {
            RuleFor(connect => connect.FlowUrl).Must(url => url is null || IsUrl(url, "http", "https")).WithMessage("must be an http or https address");
            RuleFor(connect => connect.StreamUrl).Must(url => url is null || IsUrl(url, "ws", "wss")).WithMessage("must be a ws or wss address");
            RuleFor(connect => connect.Number).Must(number => number is null || PhoneNumber.IsE164(number)).WithMessage(PhoneNumber.Expected);
        }

        private static bool IsUrl(string text, params string[] schemes) =>
            text.Length <= UrlLength && Uri.TryCreate(text, UriKind.Absolute, out var url) && schemes.Contains(url.Scheme);
    }

    internal sealed class Column : SqlMapper.TypeHandler<CallConnection>
    {
        public override CallConnection Parse(object value) => JsonSerializer.Deserialize<CallConnection>((string)value, SnakeCase)!;

        public override void SetValue(IDbDataParameter parameter, CallConnection? value) => throw new NotSupportedException("Written as JSON.");
    }
}

/// <summary>The rule for what a call is connected with.</summary>
public static class CallConnectionRules
{
    /// <summary>Absent, or exactly one of flow_url, stream_url and number, each of its form.</summary>
    public static void IsConnection<T>(this IRuleBuilderInitial<T, CallConnection?> rule) => rule
        .Cascade(CascadeMode.Stop)
        .Must(connect => connect is null || connect.IsOne)
        .WithMessage("must have exactly one of flow_url, stream_url and number")
        .SetValidator(new CallConnection.Rules()!);
}
