using System.CommandLine;
using CallOrchestration.Calls;
using Npgsql;

namespace CallOrchestration.Host;

/// <summary><c>host -- organizations add|list|rotate-key</c>: what an operator does to organizations. Keys are shown this once.</summary>
internal static class OrganizationsCommand
{
    public static Task<int> Run(string[] args)
    {
        var name = new Argument<string>("name") { Description = "What people call it, up to 200 characters." };
        name.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { Length: >= 1 and <= 200 }) result.AddError("The name must have 1 to 200 characters.");
        });
        var phone = new Option<string>("--phone") { Description = "Its number at the provider (ExoPhone), E.164.", Required = true };
        phone.Validators.Add(result =>
        {
            if (!PhoneNumber.IsE164(result.GetValueOrDefault<string>())) result.AddError($"--phone {PhoneNumber.Expected}.");
        });
        var add = new Command("add", "Adds an organization and prints its id, API key and webhook token, this once.") { name, phone };
        add.SetAction(parsed => WithDatabase(async connection =>
        {
            var added = await Organizations.Add(connection, parsed.GetValue(name)!, parsed.GetValue(phone)!);
            Console.WriteLine($"id: {added.Id}");
            Console.WriteLine($"api_key: {added.ApiKey}");
            Console.WriteLine($"webhook_token: {added.WebhookToken}");
            return 0;
        }));

        var list = new Command("list", "Lists the organizations, oldest first.");
        list.SetAction(_ => WithDatabase(async connection =>
        {
            foreach (var organization in await Organizations.List(connection))
                Console.WriteLine($"{organization.Id}  {organization.PhoneNumber,-16}  {organization.CreatedAt:yyyy-MM-ddTHH:mm:ssZ}  {organization.Name}");
            return 0;
        }));

        var id = new Argument<Guid>("id") { Description = "The organization's id." };
        var rotate = new Command("rotate-key", "Gives an organization a new API key, and prints it this once; the old one ends at once.") { id };
        rotate.SetAction(parsed => WithDatabase(async connection =>
        {
            if (await Organizations.RotateKey(connection, parsed.GetValue(id)) is not { } key)
            {
                await Console.Error.WriteLineAsync("There is no such organization.");
                return 1;
            }

            Console.WriteLine($"api_key: {key}");
            return 0;
        }));

        var root = new RootCommand("CallOrchestration") { new Command("organizations", "Adds and lists organizations.") { add, list, rotate } };
        var parsed = root.Parse(args);
        return parsed.Errors.Count > 0 && !parsed.CommandResult.Command.Subcommands.Any() ? Refuse(parsed) : parsed.InvokeAsync();
    }

    private static Task<int> Refuse(ParseResult parsed)
    {
        foreach (var error in parsed.Errors) Console.Error.WriteLine(error.Message);
        return Task.FromResult(Failures.WrongSetting);
    }

    private static Task<int> WithDatabase(Func<NpgsqlConnection, Task<int>> run) => Failures.Explained(async () =>
    {
        using var signals = new StopSignals();
        var configuration = Application.CreateBuilder([]).Configuration;
        await using var embedded = await HostCommand.DatabaseOf(configuration, signals.Token);
        var connectionString = Database.ConnectionString(configuration);
        await Migrations.Apply(connectionString, Application.MigrationScripts, signals.Token);
        await using var database = Database.ForRequests(connectionString);
        await using var connection = await database.OpenConnection(signals.Token);
        return await run(connection);
    });
}
