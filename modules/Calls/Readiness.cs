using Dapper;
using Npgsql;

namespace CallOrchestration.Calls;

/// <summary>Whether this host can do its work: a row can be written to the two tables and read back.</summary>
public static class Readiness
{
    /// <summary>Inserts an organization and a call, reads the call back, and leaves nothing behind.</summary>
    /// <exception cref="NpgsqlException">The database is away or refuses the rows.</exception>
    public static async Task Prove(RequestDatabase database, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(database);
        await using var connection = await database.OpenConnection(cancellation);
        // Never committed: the rollback comes with the end of the block, whatever happens in it.
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        var row = new { organizationId = Guid.CreateVersion7(), callId = Guid.CreateVersion7(), hash = Guid.NewGuid().ToByteArray().Concat(Guid.NewGuid().ToByteArray()).ToArray() };
        await connection.ExecuteAsync(new CommandDefinition(InsertSql, row, cancellationToken: cancellation));
        var status = await connection.QuerySingleAsync<string>(new CommandDefinition(SelectSql, row, cancellationToken: cancellation));
        if (status != CallStatus.Pending) throw new InvalidOperationException($"The row that was inserted came back {status}.");
    }

    private const string InsertSql =
        """
        with organization as (
            insert into organizations (id, name, phone_number, api_key_hash, webhook_token_hash, callback_secret)
            values (@organizationId, 'readiness', '+10000000', @hash, @hash, @hash)
            returning id
        )
        insert into calls (id, organization_id, direction, status, from_number, to_number)
        select @callId, id, 'OUTBOUND', 'PENDING', '+10000000', '+10000000'
        from organization
        """;

    private const string SelectSql =
        """
        select status
        from calls
        where id = @callId
        """;
}
