using System.Text.Json.Nodes;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>What the host is asked for: one person to be called from the ExoPhone.</summary>
internal sealed record OutboundRequest(string Customer, JsonObject Metadata, JsonObject Body)
{
    public static OutboundRequest MakeUp(Stage stage, DateTimeOffset? nextActionAt = null)
    {
        var customer = stage.MadeUpNumber();
        var metadata = new JsonObject { ["scenario"] = stage.Scenario.Name, ["customer"] = stage.Faker.Name.FullName() };
        var body = new JsonObject { ["from"] = PlayedCall.ExoPhone, ["to"] = customer, ["metadata"] = metadata.DeepClone() };
        if (nextActionAt is { } due)
        {
            body["next_action_at"] = due;
        }

        return new(customer, metadata, body);
    }
}
