using Spectre.Console;

namespace CallOrchestration.Simulator.Provider;

/// <summary>What the fake prints when it is up: all that a client has to be told.</summary>
internal static class Welcome
{
    // Kept as an example of a client's settings; nothing else here knows of the host.
    public static string Text(ExotelOptions options, Uri address)
    {
        var url = address.ToString().TrimEnd('/');
        var usual = new ExotelOptions();
        var key = options.Key == usual.Key ? options.Key : "(as given by --key)";
        var token = options.Token == usual.Token ? options.Token : "(as given by --token)";
        return $"""
            Exotel is played at {url}, seed {options.Seed}, speed {FormattableString.Invariant($"{options.Speed}")}.
            Ledger: {Path.GetFullPath(options.Ledger)}

              curl -u '{key}:{token}' {url}/v1/Accounts/{options.Account}/Calls/connect.json \
                -d From=+919900000001 -d CallerId=+918047110000 -d Url=http://my.exotel.com/{options.Account}/exoml/start_voice/1

            For the host of this repository:
              Dialer__Provider=Exotel
              Dialer__Exotel__BaseUrl={url}
              Dialer__Exotel__AccountSid={options.Account}
              Dialer__Exotel__ApiKey={key}
              Dialer__Exotel__ApiToken={token}
              Dialer__Exotel__CallerId=+918047110000
              Dialer__Exotel__PublicUrl=http://localhost:5080
              Dialer__Exotel__FlowUrl=http://my.exotel.com/{options.Account}/exoml/start_voice/1

            The last four digits of the number dialled (From) say what happens:
            """;
    }

    public static Table ScriptTable()
    {
        var table = new Table().Border(TableBorder.Simple);
        table.AddColumn(new TableColumn("number").NoWrap());
        table.AddColumn(new TableColumn("script").NoWrap());
        table.AddColumn(new TableColumn("what happens"));
        foreach (var script in Scripts.All) table.AddRow(new Text(script.Number), new Text(script.Name), new Text(script.Does));
        table.AddRow(new Text("any other"), new Text(""), new Text("drawn by seed and number: completes, rings-out, busy or failed"));
        return table;
    }
}
