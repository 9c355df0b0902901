using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace CallOrchestration.Tests;

/// <summary><c>host -- organizations …</c>, run as an operator does.</summary>
public sealed partial class OrganizationsTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task An_organization_that_was_added_can_work_at_once_and_its_secrets_are_stored_as_hashes_alone()
    {
        var ended = await Run("add", "Café \"Acme\"", "--phone", "+918047110000");

        ended.ExitCode.ShouldBe(0, ended.Error);
        var said = Added().Match(ended.Output);
        said.Success.ShouldBeTrue(ended.Output);
        var (id, key, token) = (Guid.Parse(said.Groups["id"].Value), said.Groups["key"].Value, said.Groups["token"].Value);
        var added = new Acme(host, new(id, key, token));
        (await added.Get("/api/calls")).ShouldBeOk();
        (await added.Passthru(("CallSid", "sid"))).ShouldBeOk();

        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var row = await connection.QuerySingleAsync<string>("select o::text from organizations o where id = @id", new { id });
        row.ShouldContain("""Café ""Acme""");
        foreach (var secret in new[] { key, token, key[^64..], token[^64..] }) row.ShouldNotContain(secret, Case.Insensitive);
        foreach (var (column, secret) in new[] { ("api_key_hash", key), ("webhook_token_hash", token) })
        {
            var stored = await connection.QuerySingleAsync<byte[]>($"select {column} from organizations where id = @id", new { id });
            stored.ShouldBe(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
        }
    }

    [Fact]
    public async Task The_list_names_every_organization_and_no_secret()
    {
        var acme = await host.AddOrganization("Listed");

        var ended = await Run("list");

        ended.ExitCode.ShouldBe(0, ended.Error);
        var line = ended.Output.Split('\n').Single(line => line.Contains(acme.Id.ToString(), StringComparison.Ordinal));
        line.ShouldContain(Acme.Phone);
        line.ShouldContain("Listed");
        ended.Output.ShouldNotContain(acme.ApiKey);
        ended.Output.ShouldNotContain(acme.WebhookToken);
    }

    [Fact]
    public async Task A_rotated_key_ends_at_once_and_the_webhook_token_stays()
    {
        var acme = await host.AddOrganization();
        var call = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));

        var ended = await Run("rotate-key", acme.Id.ToString());

        ended.ExitCode.ShouldBe(0, ended.Error);
        var key = Rotated().Match(ended.Output).Groups["key"].Value;
        key.ShouldNotBeEmpty(ended.Output);
        (await acme.Read(call)).ShouldBeProblem(HttpStatusCode.Unauthorized);
        (await new Acme(host, new(acme.Id, key, acme.WebhookToken)).Read(call)).ShouldBeOk();
        (await acme.Passthru(("CallSid", "sid"))).ShouldBeOk();
    }

    [Fact]
    public async Task The_key_of_an_organization_that_does_not_exist_cannot_be_rotated()
    {
        var ended = await Run("rotate-key", Guid.CreateVersion7().ToString());
        ended.ShouldBe(new(1, "", "There is no such organization." + Environment.NewLine));
    }

    [Theory]
    [InlineData("--phone must be an E.164 number", "add", "Acme", "--phone", "08047110000")]
    [InlineData("--phone", "add", "Acme")]
    [InlineData("The name must have 1 to 200 characters.", "add", "", "--phone", "+918047110000")]
    [InlineData("not-a-uuid", "rotate-key", "not-a-uuid")]
    public async Task A_wrong_command_is_told_in_one_sentence_and_stores_nothing(string sentence, params string[] arguments)
    {
        var before = await Count();

        var ended = await Run(arguments);

        ended.ExitCode.ShouldBe(2);
        ended.Error.TrimEnd().ShouldContain(sentence);
        ended.Error.TrimEnd().ShouldNotContain("\n");
        ended.Output.ShouldBeEmpty();
        (await Count()).ShouldBe(before);
    }

    // The database of this class alone; its tests run one after another.
    private async Task<long> Count()
    {
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        return await connection.QuerySingleAsync<long>("select count(*) from organizations");
    }

    private Task<Ended> Run(params string[] arguments) =>
        Programs.Host(["organizations", .. arguments], ("ConnectionStrings__CallOrchestration", host.ConnectionString));

    [GeneratedRegex(@"\Aid: (?<id>[0-9a-f-]{36})\r?\napi_key: (?<key>\w+)\r?\nwebhook_token: (?<token>[A-Za-z0-9_]+)\r?\n\z")]
    private static partial Regex Added();

    [GeneratedRegex(@"\Aapi_key: (?<key>\w+)\r?\n\z")]
    private static partial Regex Rotated();
}
