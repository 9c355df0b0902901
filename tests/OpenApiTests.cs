using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.OpenApi;

namespace CallOrchestration.Tests;

/// <summary>
/// The document against the host: the routes that it has, and what it really answers. To accept a change of the document, move
/// <c>tests/openapi.v1.received.json</c> over <c>tests/openapi.v1.approved.json</c>. Long for the small reader of schemas at its end: what
/// is written of an API is worth something only if it is held against the answers.
/// </summary>
public sealed class OpenApiTests(TestHost host) : IClassFixture<TestHost>
{
    [Fact]
    public async Task The_document_is_the_one_that_is_committed()
    {
        var served = await Served();

        (await Served()).ShouldBe(served);
        served.ShouldMatchApproved(match => match.WithFilenameGenerator((_, _, type, _) => $"openapi.v1.{type}.json").NoDiff());
    }

    [Fact]
    public async Task The_reader_of_OpenAPI_finds_nothing_wrong_with_it()
    {
        var (document, diagnostic) = OpenApiDocument.Parse(await Served(), "json");

        diagnostic!.Errors.ShouldBeEmpty();
        diagnostic.Warnings.ShouldBeEmpty();
        document!.Components!.SecuritySchemes!.Keys.ShouldBe([Schemes.ApiKey, Schemes.WebhookToken, Schemes.Callback], ignoreOrder: true);
        document.Servers.ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_route_of_the_host_is_in_it_and_no_other()
    {
        var routes = host.Service<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().SelectMany(route =>
            route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(method => $"{method} /{route.RoutePattern.RawText!.Trim('/')}"));

        // The webhooks' HEAD is told in words.
        var told = routes.Where(route => !route.StartsWith("HEAD ", StringComparison.Ordinal)).Except(["GET /openapi/v1.json"]);
        (await Operations()).Select(operation => $"{operation.Method} {operation.Path}").ShouldBe(told, ignoreOrder: true);
    }

    [Fact]
    public async Task Every_operation_says_all_there_is_to_know()
    {
        var operations = await Operations();
        operations.Select(operation => operation.Id).ShouldBeUnique();
        operations.SelectMany(Missing).ShouldBeEmpty();

        static IEnumerable<string> Missing(Operation operation)
        {
            foreach (var text in (string[])["summary", "description"])
            {
                if (string.IsNullOrEmpty((string?)operation.Json[text])) yield return $"{operation}: no {text}";
            }

            var open = operation.Path.StartsWith("/health/", StringComparison.Ordinal);
            if (open != operation.Json["security"] is not JsonArray { Count: > 0 }) yield return $"{operation}: security";
            if (open != operation.Answer("401") is null) yield return $"{operation}: 401";
            foreach (var parameter in operation.Json["parameters"]?.AsArray() ?? [])
            {
                if (string.IsNullOrEmpty((string?)parameter!["description"]) || parameter["schema"]?["type"] is null)
                    yield return $"{operation}: {parameter["name"]}";
            }

            foreach (var (status, _) in operation.Answers)
            {
                var answer = operation.Answer(status)!;
                if (string.IsNullOrEmpty((string?)answer["description"])) yield return $"{operation}: {status} is not described";
                var content = answer["content"]?[status[0] == '2' ? "application/json" : "application/problem+json"];
                if (status != "304" && (content?["schema"] is null || content["examples"] is not JsonObject { Count: > 0 }))
                    yield return $"{operation}: {status} has no schema or no example";
            }
        }
    }

    [Fact]
    public async Task Every_schema_and_each_of_its_fields_is_described()
    {
        var document = await Document();

        document["components"]!["schemas"]!.AsObject().SelectMany(schema => Undescribed(schema.Key, schema.Value!)).ShouldBeEmpty();

        static IEnumerable<string> Undescribed(string name, JsonNode schema) =>
            (schema["properties"]?.AsObject() ?? []).Select(field => ($"{name}.{field.Key}", field.Value!)).Append((name, schema))
                .Where(described => string.IsNullOrEmpty((string?)described.Item2["description"])).Select(described => described.Item1);
    }

    [Fact]
    public async Task Every_example_is_as_its_schema_says()
    {
        var faults = new List<string>();
        foreach (var operation in await Operations())
        {
            var answers = operation.Answers.Select(answer => operation.Answer(answer.Key)!["content"]);
            var contents = answers.Append(operation.Json["requestBody"]?["content"]);
            foreach (var (type, content) in contents.SelectMany(content => content?.AsObject() ?? []))
            {
                foreach (var (name, example) in content!["examples"]?.AsObject() ?? [])
                    faults.AddRange(Faults(operation.Document, content["schema"]!, example!["value"], $"{operation} {type} '{name}'"));
            }
        }

        faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_example_of_a_request_is_taken_and_answered_as_documented()
    {
        var acme = await host.AddOrganization();
        foreach (var operation in (await Operations()).Where(operation => operation.Json["requestBody"] is not null))
        {
            foreach (var (type, content) in operation.Json["requestBody"]!["content"]!.AsObject())
            {
                foreach (var (_, example) in content!["examples"]!.AsObject())
                {
                    var call = await acme.CreateOutbound(at: DateTimeOffset.UtcNow.AddDays(1));
                    var path = operation.Path.Replace("{id}", $"{call}", StringComparison.Ordinal) + operation.Path switch
                    {
                        "/webhooks/inbound" => $"?token={acme.WebhookToken}",
                        "/webhooks/provider-event" => $"?token={acme.WebhookToken}&call={call}",
                        _ => "",
                    };
                    var answer = await acme.Send(new(operation.Method), path, Body(type, example!["value"]!));
                    ShouldBeAsDocumented(operation, answer, operation.Answers.First().Key);
                }
            }
        }
    }

    [Fact]
    public async Task What_the_host_answers_is_what_the_document_says()
    {
        var acme = await host.AddOrganization();
        var operations = (await Operations()).ToDictionary(operation => operation.Id);
        var (call, sid) = await acme.Dialled();
        await acme.Event(("CallSid", sid!), ("EventType", "answered"), ("Status", "in-progress"));
        await acme.Event(("CallSid", sid!), ("Status", "completed"), ("ConversationDuration", "7"), ("RecordingUrl", "https://example.com/1.mp3"));
        var valid = new { from = Acme.Phone, to = Acme.Customer, metadata = new { customer = "C-1001" } };
        var created = await acme.Post("/api/calls/outbound", valid, ("Idempotency-Key", "one"));

        Check("CreateOutboundCall", "201", created);
        Check("CreateOutboundCall", "201", await acme.Post("/api/calls/outbound", valid, ("Idempotency-Key", "one")), InsertCall.IdempotencyReplayed);
        Check("CreateOutboundCall", "422", await acme.Post("/api/calls/outbound", valid with { to = Acme.Phone }, ("Idempotency-Key", "one")));
        Check("CreateCall", "400", await acme.Post("/api/calls", new { from = "1", colour = "red" }));
        Check("CreateCall", "400", await acme.Post("/api/calls", new { from = "1" }));
        Check("CreateCall", "413", await acme.Post("/api/calls", new { from = new string('1', 70_000) }));
        Check("CreateCall", "415", await acme.Send(HttpMethod.Post, "/api/calls", Acme.Json(valid, "text/plain")));
        Check("ListCalls", "200", await acme.Get("/api/calls?limit=1"));
        Check("ListCalls", "400", await acme.Get("/api/calls?limit=0"));
        Check("SummarizeCalls", "200", await acme.Get("/api/calls/summary"));
        Check("ReadCall", "200", await acme.Read(call));
        Check("ReadCall", "304", await acme.Send(HttpMethod.Get, $"/api/calls/{created.Id}", null, ("If-None-Match", "\"1\"")));
        Check("ReadCall", "404", await acme.Get($"/api/calls/{Guid.Empty}"));
        Check("ReadCall", "404", await acme.Get("/api/calls/one"));
        Check("ChangeCall", "409", await acme.Patch(call, new { status = "IN_PROGRESS" }));
        Check("ChangeCall", "412", await acme.Patch(call, new { status = "COMPLETED" }, ("If-Match", "\"1\"")));
        Check("ReceiveInboundCallByGet", "200", await acme.Passthru(("CallSid", "a1"), ("CallFrom", "09900000001"), ("CallType", "call-attempt")));
        Check("ReceiveInboundCallByGet", "200", await acme.Passthru(("CallSid", "a2"), ("Direction", "outbound-dial")));
        Check("ReceiveInboundCallByGet", "400", await acme.Passthru(("CallFrom", "09900000001")));
        Check("ReceiveProviderEventByPost", "400", await acme.Webhook(HttpMethod.Post, "/webhooks/provider-event", Acme.Json("nothing")));
        Check("ReceiveProviderEventByPost", "404", await acme.Event(("CallSid", "a3"), ("Status", "completed")));
        Check("Live", "200", await acme.Get("/health/live"));
        Check("Ready", "200", await acme.Get("/health/ready"));
        foreach (var operation in operations.Values.Where(operation => operation.Answer("401") is not null))
        {
            using var request = new HttpRequestMessage(new(operation.Method), new Uri(host.Url, operation.Path));
            Check(operation.Id, "401", await Http.Send(request));
        }

        void Check(string operation, string status, Answer answer, params string[] headers) =>
            ShouldBeAsDocumented(operations[operation], answer, status, headers);
    }

    [Fact]
    public async Task The_parameters_of_the_list_are_those_that_the_host_names()
    {
        var acme = await host.AddOrganization();
        var list = (await Operations()).Single(operation => operation.Id == "ListCalls");

        var refused = await acme.Get("/api/calls?colour=red");

        ((string)refused.Body["errors"]!["colour"]![0]!).Split("there are ")[1].Split(", ")
            .ShouldBe(list.Json["parameters"]!.AsArray().Select(parameter => (string)parameter!["name"]!));
    }

    [Fact]
    public async Task The_page_loads_the_document_and_keeps_the_key()
    {
        var acme = await host.AddOrganization();

        var redirect = await acme.Get("/swagger");
        var page = await acme.Get("/" + redirect.Headers.Location);
        var script = await acme.Get("/swagger/index.js");

        page.ShouldBeOk();
        foreach (Match file in Regex.Matches(page.Text, "(?:src|href)=\"([^\"]+)\""))
            (await acme.Get("/swagger/" + file.Groups[1].Value)).ShouldBeOk();
        script.Text.ShouldContain("\"url\":\"/openapi/v1.json\"");
        script.Text.ShouldContain("\"persistAuthorization\":true");
    }

    private static void ShouldBeAsDocumented(Operation operation, Answer answer, string status, params string[] headers)
    {
        $"{(int)answer.Status}".ShouldBe(status, $"{operation}: {answer.Text}");
        var documented = operation.Answer(status).ShouldNotBeNull($"{operation}: {status}");
        // Whether the answer is another one's again is the only header that is there at times.
        var promised = (documented["headers"]?.AsObject() ?? []).Select(header => header.Key);
        foreach (var header in promised.Except([InsertCall.IdempotencyReplayed]).Concat(headers))
            answer.Headers.Contains(header).ShouldBeTrue($"{operation}: {status} without {header}");
        if (documented["content"]?.AsObject() is not { Count: > 0 } content)
        {
            answer.Text.ShouldBeEmpty();
            return;
        }

        content.Select(type => type.Key).ShouldContain(answer.ContentType!, $"{operation} {status}");
        Faults(operation.Document, content[answer.ContentType!]!["schema"]!, answer.Body, $"{operation} {status}").ShouldBeEmpty();
    }

    /// <summary>Where a value is not what its schema says. A member that the schema neither names nor leaves to others is a fault as well.</summary>
    private static IEnumerable<string> Faults(JsonNode document, JsonNode schema, JsonNode? value, string at)
    {
        schema = Resolved(document, schema);
        string[] types = schema["type"] switch { JsonArray any => [.. any.Select(type => (string)type!)], null => [], var one => [(string)one!] };
        var type = value?.GetValueKind() switch
        {
            null => "null",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Number => types.Contains("number") || value.ToJsonString().Contains('.', StringComparison.Ordinal) ? "number" : "integer",
            var kind => kind.ToString()!.ToLowerInvariant(),
        };
        if (types.Length > 0 && !types.Contains(type)) yield return $"{at} is {type} {value}";
        if (schema["enum"] is JsonArray words && !words.Any(word => JsonNode.DeepEquals(word, value))) yield return $"{at} is {value}";
        if (type == "string" && !HasForm((string)value!, (string?)schema["format"], (string?)schema["pattern"])) yield return $"{at} is {value}";
        if (type == "array" && schema["items"] is { } item)
        {
            foreach (var fault in value!.AsArray().SelectMany((each, index) => Faults(document, item, each, $"{at}[{index}]"))) yield return fault;
        }

        if (value is not JsonObject members || (schema["properties"] ?? schema["additionalProperties"]) is null) yield break;
        foreach (var name in schema["required"]?.AsArray() ?? [])
        {
            if (!members.ContainsKey((string)name!)) yield return $"{at} has no {name}";
        }

        foreach (var (name, member) in members)
        {
            var field = (schema["properties"]?[name] ?? schema["additionalProperties"]) as JsonObject;
            if (field is null) yield return $"{at}.{name} is not in the schema";
            foreach (var fault in field is null ? [] : Faults(document, field, member, $"{at}.{name}")) yield return fault;
        }
    }

    private static bool HasForm(string text, string? format, string? pattern) => (pattern is null || Regex.IsMatch(text, pattern)) && format switch
    {
        "date-time" => Regex.IsMatch(text, @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"),
        "uuid" => Guid.TryParseExact(text, "D", out _),
        "uri" => Uri.TryCreate(text, UriKind.Absolute, out _),
        _ => true,
    };

    private static JsonNode Resolved(JsonNode document, JsonNode node) =>
        (string?)node["$ref"] is { } reference ? reference.Split('/')[1..].Aggregate(document, (part, name) => part[name]!) : node;

    private static HttpContent Body(string type, JsonNode value)
    {
        if (type.EndsWith("json", StringComparison.Ordinal)) return Acme.Json(value.ToJsonString(), type);
        var fields = value.AsObject().Select(field => (field.Key, $"{field.Value}")).ToArray();
        if (type == "application/x-www-form-urlencoded") return Acme.Form(fields);
        var form = new MultipartFormDataContent();
        foreach (var (name, text) in fields) form.Add(new StringContent(text), name);
        return form;
    }

    private sealed record Operation(JsonNode Document, string Method, string Path, JsonNode Json)
    {
        public string Id => (string)Json["operationId"]!;

        public JsonObject Answers => Json["responses"]!.AsObject();

        public JsonNode? Answer(string status) => Answers[status] is { } answer ? Resolved(Document, answer) : null;

        public override string ToString() => Id;
    }

    private async Task<List<Operation>> Operations()
    {
        var document = await Document();
        return [.. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation =>
            new Operation(document, operation.Key.ToUpperInvariant(), path.Key, operation.Value!)))];
    }

    private async Task<JsonNode> Document() => JsonNode.Parse(await Served())!;

    private async Task<string> Served()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(host.Url, "/openapi/v1.json"));
        var answer = (await Http.Send(request)).ShouldBeOk();
        answer.ContentType.ShouldBe("application/json");
        return answer.Text;
    }
}
