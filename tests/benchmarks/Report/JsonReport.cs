using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CallOrchestration.Benchmarks.Report;

/// <summary>The same for machines: every single value, the settings, the query plans.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static async Task Write(FileInfo file, Bench bench, IReadOnlyList<CellReport> reports)
    {
        var report = new
        {
            At = DateTimeOffset.UtcNow,
            Environment.ProcessorCount,
            Memory = Machine.Memory(),
            Load = Machine.Load(),
            bench.Options.Runs,
            bench.Options.Rows,
            Postgresql = await bench.Cluster.Settings(),
            Cells = reports.Select(cell => new
            {
                cell.Name,
                cell.Passed,
                cell.Settings,
                Figures = cell.Figures.Select(figure => new
                {
                    figure.Variant,
                    figure.Contender,
                    figure.IsOurs,
                    Unit = figure.Unit.Name,
                    figure.Median,
                    figure.Values,
                    figure.Note,
                }),
                cell.Targets,
                cell.Faults,
                cell.Notes,
                Plans = cell.Plans.Select(plan => new { plan.Statement, plan.Read, plan.Returned, plan.IsLean, Plan = plan.Plan.Split('\n') }),
            }),
        };
        await File.WriteAllTextAsync(file.FullName, JsonSerializer.Serialize(report, Options) + "\n");
    }
}
