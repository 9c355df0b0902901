namespace CallOrchestration.Tests;

/// <summary>Proves that a request changed no row: a checksum over both tables of the test class's own database, before and after.</summary>
public static class RowsUnchanged
{
    public static async Task<Answer> ChangesNothing(this TestHost host, Func<Task<Answer>> request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var before = await Checksum(host);
        var answer = await request();
        (await Checksum(host) == before).ShouldBeTrue($"a request that was answered {answer.Status} changed rows");
        return answer;
    }

    private static async Task<string> Checksum(TestHost host)
    {
        await using var connection = await host.Rows.OpenConnectionAsync(TestContext.Current.CancellationToken);
        return await connection.QuerySingleAsync<string>(
            """
            select concat_ws('/',
                (select concat(count(*), md5(string_agg(c::text, '|' order by id))) from calls c),
                (select concat(count(*), md5(string_agg(o::text, '|' order by id))) from organizations o))
            """);
    }
}
