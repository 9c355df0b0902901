using System.Security.Cryptography;
using System.Text;
using Dapper;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>An organization as the list shows it: no secret is in it.</summary>
/// <param name="Id">UUID version 7.</param>
/// <param name="Name">What people call it.</param>
/// <param name="PhoneNumber">Its number at the provider (ExoPhone), E.164.</param>
/// <param name="CreatedAt">UTC.</param>
public sealed record Organization(Guid Id, string Name, string PhoneNumber, DateTime CreatedAt);

/// <summary>What a new organization is told once; only hashes are stored.</summary>
/// <param name="Id">UUID version 7.</param>
/// <param name="ApiKey">For <c>Authorization: Bearer</c>.</param>
/// <param name="WebhookToken">For <c>?token=</c>; letters and digits only, since providers pass a URL on as it is.</param>
public sealed record NewOrganization(Guid Id, string ApiKey, string WebhookToken);

/// <summary>Adds and lists organizations and changes their keys.</summary>
public static class Organizations
{
    /// <summary>The demo organization's name, number, key and token: known to everybody, so only for the private database of a host.</summary>
    public static (Guid Id, string Name, string Phone, string ApiKey, string WebhookToken) Demo { get; } =
        (Guid.Parse("019b0000-0000-7000-8000-000000000001"), "Demo", "+918047110000", "demo-key", "demo-token");

    /// <summary>Adds an organization with a new key and token.</summary>
    public static async Task<NewOrganization> Add(NpgsqlConnection connection, string name, string phoneNumber)
    {
        var added = new NewOrganization(Guid.CreateVersion7(), "co_key_" + NewSecret(), "co_hook_" + NewSecret());
        await Insert(connection, added, name, phoneNumber);
        return added;
    }

    /// <summary>Adds the demo organization unless it is there.</summary>
    public static Task AddDemo(NpgsqlConnection connection) =>
        Insert(connection, new(Demo.Id, Demo.ApiKey, Demo.WebhookToken), Demo.Name, Demo.Phone);

    /// <summary>Every organization, oldest first.</summary>
    public static async Task<IReadOnlyList<Organization>> List(NpgsqlConnection connection) =>
        (await connection.QueryAsync<Organization>(ListSql)).AsList();

    /// <summary>Gives an organization a new API key; the old one is refused from then on. Null: there is no such organization.</summary>
    public static async Task<string?> RotateKey(NpgsqlConnection connection, Guid id)
    {
        var key = "co_key_" + NewSecret();
        var changed = await connection.ExecuteAsync(RotateKeySql, new { id, hash = Hash(key) });
        return changed == 1 ? key : null;
    }

    /// <summary>SHA-256 of a secret: all that is stored of it.</summary>
    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    private static Task Insert(NpgsqlConnection connection, NewOrganization added, string name, string phoneNumber) =>
        connection.ExecuteAsync(InsertSql, new
        {
            added.Id,
            name,
            phoneNumber,
            apiKeyHash = Hash(added.ApiKey),
            webhookTokenHash = Hash(added.WebhookToken),
            callbackSecret = RandomNumberGenerator.GetBytes(32),
        });

    // 256 random bits in letters and digits alone: it travels in URLs.
    private static string NewSecret() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private const string InsertSql =
        """
        insert into organizations (id, name, phone_number, api_key_hash, webhook_token_hash, callback_secret)
        values (@id, @name, @phoneNumber, @apiKeyHash, @webhookTokenHash, @callbackSecret)
        on conflict (id) do nothing
        """;

    private const string ListSql =
        """
        select id, name, phone_number, created_at
        from organizations
        order by created_at, id
        """;

    private const string RotateKeySql =
        """
        update organizations
        set api_key_hash = @hash
        where id = @id
        """;
}
