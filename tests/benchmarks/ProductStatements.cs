using System.Reflection;
using CallOrchestration.Outbound;
using CallOrchestration.ProviderEvents;
using CallOrchestration.Scheduling;

namespace CallOrchestration.Benchmarks;

/// <param name="Name">Slice and constant.</param>
/// <param name="Sql">Its text.</param>
internal sealed record ProductStatement(string Name, string Sql);

/// <summary>Every SQL constant of the modules, as the architecture test finds them too.</summary>
internal static class ProductStatements
{
    public static IReadOnlyList<ProductStatement> All { get; } =
    [
        .. from module in (Type[])[typeof(CallsModule), typeof(OutboundModule), typeof(ProviderEventsModule), typeof(SchedulingModule)]
           from type in module.Assembly.GetTypes()
           from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
           where field.IsLiteral && field.FieldType == typeof(string) && field.Name.EndsWith("Sql", StringComparison.Ordinal)
           select new ProductStatement($"{type.Name}.{field.Name}", (string)field.GetRawConstantValue()!),
    ];
}
