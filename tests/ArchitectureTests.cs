using System.Reflection;
using System.Text.RegularExpressions;
using CallOrchestration.Inbound;
using CallOrchestration.Outbound;
using CallOrchestration.ProviderEvents;
using CallOrchestration.Scheduling;
using Npgsql;

namespace CallOrchestration.Tests;

public sealed partial class ArchitectureTests(TestHost host) : IClassFixture<TestHost>
{
    private const string Ours = "CallOrchestration.";

    // Parts of a longer statement, which a test of its own puts together.
    private static readonly string[] Fragments = ["ListCalls.AfterCursorSql", "ListCalls.NeverDueSql", "ListCalls.NewestFirstSql"];

    private static readonly Dictionary<string, string[]> Plan = new()
    {
        ["Calls"] = [],
        ["Inbound"] = ["Calls"],
        ["Outbound"] = ["Calls"],
        ["ProviderEvents"] = ["Calls"],
        ["Scheduling"] = ["Calls", "Outbound"],
    };

    private static readonly Assembly[] Modules =
    [
        typeof(CallsModule).Assembly, typeof(InboundModule).Assembly, typeof(OutboundModule).Assembly, typeof(ProviderEventsModule).Assembly,
        typeof(SchedulingModule).Assembly,
    ];

    [Fact]
    public void A_module_references_what_the_plan_allows_and_nothing_else_of_ours()
    {
        Modules.Select(NameOf).ShouldBe(Plan.Keys, ignoreOrder: true);
        foreach (var module in Modules) OurReferences(module).ShouldBeSubsetOf(Plan[NameOf(module)], NameOf(module));

        // The look itself sees what it should: Scheduling does reference both, and the host all of them.
        OurReferences(typeof(SchedulingModule).Assembly).ShouldBe(["Calls", "Outbound"], ignoreOrder: true);
        OurReferences(typeof(Host.Application).Assembly).ShouldBe(Plan.Keys, ignoreOrder: true);
    }

    [Fact]
    public void The_simulator_knows_no_module() => OurReferences(typeof(Simulator.ScenarioFailed).Assembly).ShouldBeEmpty();

    [Fact]
    public void A_module_shows_one_static_class_named_after_it_and_carries_no_test()
    {
        foreach (var module in Modules)
        {
            var shown = module.GetExportedTypes().Where(type => type.Name.EndsWith("Module", StringComparison.Ordinal));
            shown.Select(type => type.Name).ShouldBe([NameOf(module) + "Module"]);
            module.GetTypes().ShouldNotContain(type => type.Name.EndsWith("Tests", StringComparison.Ordinal));
            module.GetReferencedAssemblies().ShouldNotContain(reference => reference.Name!.StartsWith("xunit", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task A_reference_against_the_plan_breaks_the_build()
    {
        var directory = Directory.CreateTempSubdirectory("call-orchestration-plan-").FullName;
        try
        {
            // Imported by the projects of this build alone: it gives the module that is tried a reference to every other.
            var extra = Path.Combine(directory, "extra.props");
            await File.WriteAllTextAsync(
                extra,
                $"""
                <Project>
                  <ItemGroup Condition="'$(MSBuildProjectName)' == '$(Tried)'">
                    {string.Concat(Plan.Keys.Select(module => $"""<ProjectReference Include="{Project(module)}" Condition="'$(Tried)' != '{module}'" />"""))}
                  </ItemGroup>
                </Project>
                """,
                TestContext.Current.CancellationToken);
            var project = Path.Combine(directory, "try.proj");
            // The guard alone for every module, and one whole build, which shows that a build runs the guard.
            await File.WriteAllTextAsync(
                project,
                $"""
                <Project>
                  <Target Name="Try">
                    {string.Concat(Plan.Keys.Select(module => Try(module, "CheckModuleReferences")))}
                    {Try("Inbound", "Build")}
                  </Target>
                </Project>
                """,
                TestContext.Current.CancellationToken);

            var ended = await Programs.Dotnet(["msbuild", project, "-t:Try", "-nodeReuse:false", "-nologo", "-v:q", "-clp:ErrorsOnly;NoSummary"]);

            var expected = Plan.Keys.Append("Inbound").Select(module => (module, string.Join(", ", Plan.Keys.Except([module, .. Plan[module]]))));
            Refusal().Matches(ended.Output).Select(match => (match.Groups["module"].Value, match.Groups["references"].Value)).ShouldBe(expected, ended.Output);

            string Try(string module, string target) =>
                $"""
                <MSBuild Projects="{Project(module)}" Targets="{target}" ContinueOnError="true"
                         Properties="Configuration=Release;CustomAfterMicrosoftCommonProps={extra};Tried={module};By={target}" />
                """;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        static string Project(string module) => Path.Combine(Sources.Root, "modules", module, module + ".csproj");
    }

    [Fact]
    public async Task Every_statement_of_every_module_is_understood_by_the_migrated_database()
    {
        var statements = Statements().Where(statement => !Fragments.Contains(statement.Name)).ToList();
        statements.Count.ShouldBeGreaterThanOrEqualTo(15);
        var misunderstood = new List<string>();
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        foreach (var (name, sql) in statements)
        {
            try
            {
                await using var command = new NpgsqlCommand(sql, connection);
                // Parsed and described by the server; nothing is executed.
                NpgsqlCommandBuilder.DeriveParameters(command);
            }
            catch (PostgresException error)
            {
                misunderstood.Add($"{name}: {error.MessageText}");
            }
        }

        misunderstood.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_list_with_every_clause_is_understood_too()
    {
        Statements().Select(statement => statement.Name).Where(Fragments.Contains).ShouldBe(Fragments, ignoreOrder: true);
        var acme = await host.AddOrganization();
        await acme.CreateOutbound();
        await acme.CreateOutbound();
        var cursor = (await acme.Get("/api/calls?limit=1")).Body["next_cursor"];
        (await acme.Get("/api/calls?direction=INBOUND&limit=1")).ShouldBeOk();
        (await acme.Get("/api/calls?status=COMPLETED&outcome=busy")).ShouldBeOk();
        (await acme.Get(
            $"/api/calls?status=PENDING&direction=OUTBOUND&from=%2B918047110000&to=%2B919900000001&created_after=2020-01-01T00:00:00Z"
            + $"&created_before=2099-01-01T00:00:00Z&due_before=2099-01-01T00:00:00Z&limit=1&cursor={cursor}")).ShouldBeOk();
    }

    private static string NameOf(Assembly assembly) => assembly.GetName().Name![Ours.Length..];

    private static IEnumerable<string> OurReferences(Assembly assembly) =>
        assembly.GetReferencedAssemblies()
            .Select(reference => reference.Name!)
            .Where(name => name.StartsWith(Ours, StringComparison.Ordinal))
            .Select(name => name[Ours.Length..]);

    private static IEnumerable<(string Name, string Sql)> Statements() =>
        from module in Modules
        from type in module.GetTypes()
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where field.IsLiteral && field.FieldType == typeof(string) && field.Name.EndsWith("Sql", StringComparison.Ordinal)
        select ($"{type.Name}.{field.Name}", (string)field.GetRawConstantValue()!);

    [GeneratedRegex(@"Module (?<module>\w+) may not reference (?<references>[\w, ]+): modules meet at the row of the call\.")]
    private static partial Regex Refusal();
}
