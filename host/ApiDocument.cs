using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Xml.Linq;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace CallOrchestration.Host;

/// <summary>
/// The OpenAPI document and its page. Routes, types, summaries and comments come from the code; what the code does not say of itself is in the
/// tables of <see cref="ApiDocumentFacts"/>. A test compares the whole with <c>tests/openapi.v1.approved.json</c>.
/// </summary>
internal static class ApiDocument
{
    private const string Json = "application/json";
    private const string ProblemJson = "application/problem+json";
    private static readonly string[] Forms = ["application/x-www-form-urlencoded", "multipart/form-data"];
    private static readonly ConcurrentDictionary<Assembly, Dictionary<string, string>> CommentsByAssembly = new();

    public static void AddApiDocument(this IHostApplicationBuilder builder) => builder.Services.AddOpenApi("v1", options =>
    {
        // A webhook's HEAD is its GET without the answer's body: the tag says so, once.
        options.ShouldInclude = route => route.HttpMethod != HttpMethods.Head;
        options.CreateSchemaReferenceId = IdOf;
        options.AddSchemaTransformer(TakeComment);
        options.AddOperationTransformer(CompleteOperation);
        options.AddDocumentTransformer(CompleteDocument);
    });

    public static void MapApiDocument(this WebApplication app)
    {
        // The one document by its name: any other is a 404 like every other.
        app.MapOpenApi("/openapi/v1.json");
        app.UseSwaggerUI(page =>
        {
            page.RoutePrefix = "swagger";
            page.SwaggerEndpoint("/openapi/v1.json", "CallOrchestration");
            page.DocumentTitle = "CallOrchestration";
            page.EnablePersistAuthorization();
            page.EnableTryItOutByDefault();
            page.DisplayRequestDuration();
            page.DefaultModelsExpandDepth(0);
        });
    }

    private static string? IdOf(JsonTypeInfo json) =>
        (Nullable.GetUnderlyingType(json.Type) ?? json.Type) != typeof(JsonElement) && OpenApiOptions.CreateDefaultSchemaReferenceId(json) is { } name
            ? WithSlice(json.Type, name)
            : null;

    // Or the Request of one slice would silently stand for the Request of every other.
    private static string WithSlice(Type type, string name) => type.DeclaringType is { } slice ? $"{slice.Name}.{name}" : name;

    private static Task TakeComment(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellation)
    {
        // The build hands on the comments of public types alone, and a slice's records are internal. The comments of all lie beside the assembly.
        if (context.JsonPropertyInfo?.AttributeProvider is PropertyInfo { DeclaringType: { } type } property
            && CommentsByAssembly.GetOrAdd(type.Assembly, ReadComments) is { } comments
            && comments.TryGetValue($"P:{type.FullName!.Replace('+', '.')}.{property.Name}", out var comment))
            schema.Description = comment;
        return Task.CompletedTask;
    }

    private static Dictionary<string, string> ReadComments(Assembly assembly)
    {
        var file = Path.ChangeExtension(assembly.Location, ".xml");
        if (!File.Exists(file)) return [];
        return XDocument.Load(file).Descendants("member").Where(member => member.Element("summary") is not null).ToDictionary(
            member => (string)member.Attribute("name")!,
            member => string.Join(' ', member.Element("summary")!.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    private static async Task CompleteOperation(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellation)
    {
        // A route without facts is in the document all the same; the tests name it.
        if (!ApiDocumentFacts.Operations.TryGetValue(operation.OperationId!, out var facts)) return;
        var (document, metadata) = (context.Document!, context.Description.ActionDescriptor.EndpointMetadata);

        operation.Description ??= facts.Description;
        operation.Security = [.. metadata.OfType<IAuthorizeData>()
            .SelectMany(policy => ApiDocumentFacts.SchemesOf(policy.Policy!))
            .Select(scheme => new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(scheme, document)] = [] })];
        operation.Parameters = [.. facts.Parameters.Select(Parameter)];
        foreach (var body in operation.RequestBody?.Content?.Values ?? []) body.Examples = Examples(facts.Bodies);

        var success = (OpenApiResponse)operation.Responses![$"{facts.Status}"];
        success.Description = facts.Success;
        success.Headers = Headers(facts.Headers);
        if (facts.Webhook is { } webhook)
        {
            TakeFields(operation, webhook, context.Description.HttpMethod == HttpMethods.Get, document);
            // A webhook answers a probe with an Ok of no type, which hides the type of the other.
            var type = metadata.OfType<IProducesResponseTypeMetadata>()
                .Single(answer => answer.StatusCode == facts.Status && answer.Type?.IsClass == true).Type!;
            var id = WithSlice(type, type.Name);
            document.AddComponent(id, await context.GetOrCreateSchemaAsync(type, null, cancellation));
            success.Content = new Dictionary<string, OpenApiMediaType> { [Json] = Media(id, [], document) };
        }

        foreach (var content in success.Content!.Values) content.Examples = Examples(facts.Examples);
        operation.Responses = new() { [$"{facts.Status}"] = success };
        foreach (var (name, answer) in ApiDocumentFacts.Answers.Where(answer => facts.Others.Contains(answer.Key)))
            operation.Responses[$"{answer.Status}"] = new OpenApiResponseReference(name, document);
    }

    /// <summary>The provider's fields, which the endpoint reads by itself: in the query of a GET, in the body of a POST.</summary>
    private static void TakeFields(OpenApiOperation operation, WebhookFacts webhook, bool inQuery, OpenApiDocument document)
    {
        var name = operation.OperationId!;
        // One endpoint takes several methods, and an operation's name must be its own.
        operation.OperationId = $"{name}{(inQuery ? "ByGet" : "ByPost")}";
        if (inQuery)
        {
            foreach (var (field, facts) in webhook.Flat) operation.Parameters!.Add(Parameter((ParameterLocation.Query, field, facts)));
            return;
        }

        document.AddComponent($"{name}.Form", Object(webhook.About, webhook.Flat, open: true));
        document.AddComponent($"{name}.Json", Object(webhook.About, webhook.Nested, open: true));
        var content = new Dictionary<string, OpenApiMediaType> { [Json] = Media($"{name}.Json", webhook.NestedExamples, document) };
        foreach (var form in Forms) content[form] = Media($"{name}.Form", webhook.FlatExamples, document);
        operation.RequestBody = new OpenApiRequestBody { Description = webhook.About, Content = content };
    }

    private static Task CompleteDocument(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellation)
    {
        document.Info = new() { Title = "CallOrchestration", Version = "1", Description = ApiDocumentFacts.About };
        document.Servers = null; // whoever reads the document knows where it was
        document.Tags = new HashSet<OpenApiTag>(ApiDocumentFacts.Tags.Select(tag => new OpenApiTag { Name = tag.Name, Description = tag.About }));

        var schemas = document.Components!.Schemas!;
        // The framework's, which know nothing of our fields.
        schemas.Remove("ProblemDetails");
        schemas.Remove("HttpValidationProblemDetails");
        foreach (var (id, schema) in schemas) CompleteSchema(id, (OpenApiSchema)schema);
        foreach (var (id, problem) in ApiDocumentFacts.Problems) document.AddComponent(id, Object(problem.About, problem.Fields, open: false));
        foreach (var (id, scheme) in ApiDocumentFacts.Schemes) document.AddComponent(id, scheme);
        foreach (var (id, answer) in ApiDocumentFacts.Answers)
        {
            var content = new Dictionary<string, OpenApiMediaType>();
            if (answer.Schema is not null) content[ProblemJson] = Media(answer.Schema, answer.Examples, document);
            document.AddComponent(id, new OpenApiResponse { Description = answer.Description, Headers = Headers(answer.Headers), Content = content });
        }

        document.Components.Schemas = new SortedDictionary<string, IOpenApiSchema>(schemas, StringComparer.Ordinal);
        return Task.CompletedTask;
    }

    /// <summary>What the type of a request or answer does not say: its words, its limits, what is always there.</summary>
    private static void CompleteSchema(string id, OpenApiSchema schema)
    {
        if (!ApiDocumentFacts.SchemaDescriptions.TryGetValue(id, out var description)) return;
        schema.Description = description;
        foreach (var (name, property) in schema.Properties!.ToArray())
        {
            if (ApiDocumentFacts.FieldOf(id, name) is { } facts) schema.Properties![name] = facts.Onto(property as OpenApiSchema ?? new());
        }

        var isRequest = id.EndsWith(".Request", StringComparison.Ordinal);
        // What we answer may grow; what we are asked must not hold what we would ignore.
        schema.AdditionalPropertiesAllowed = !isRequest;
        schema.Required = schema.Properties!.Keys.Where(name => isRequest
            ? ApiDocumentFacts.FieldOf(id, name) is { Required: true }
            : !ApiDocumentFacts.SometimesAbsent.Contains($"{id}.{name}")).ToHashSet();
    }

    private static IOpenApiParameter Parameter((ParameterLocation In, string Name, Field Field) parameter) => new OpenApiParameter
    {
        In = parameter.In,
        Name = parameter.Name,
        Required = parameter.Field.Required || parameter.In == ParameterLocation.Path,
        Description = parameter.Field.Description,
        Schema = (parameter.Field with { Description = null, Example = null }).Onto(new()),
        Example = parameter.Field.Example,
    };

    private static Dictionary<string, IOpenApiHeader> Headers(IEnumerable<string> names) =>
        names.ToDictionary(name => name, IOpenApiHeader (name) => new OpenApiHeader
        {
            Description = ApiDocumentFacts.Headers[name].Description,
            Schema = (ApiDocumentFacts.Headers[name] with { Description = null }).Onto(new()),
        });

    private static OpenApiSchema Object(string about, IEnumerable<(string Name, Field Field)> fields, bool open) => new()
    {
        Type = JsonSchemaType.Object,
        Description = about,
        // The page fills a form from these, and what has no example would be sent as "string". Exotel too sends fields empty.
        Properties = fields.ToDictionary(field => field.Name, IOpenApiSchema (field) =>
            (open ? field.Field with { Example = field.Field.Example ?? "" } : field.Field).Onto(new())),
        Required = fields.Where(field => field.Field.Required).Select(field => field.Name).ToHashSet(),
        AdditionalProperties = open ? new OpenApiSchema() : null,
    };

    private static OpenApiMediaType Media(string schema, IEnumerable<Example> examples, OpenApiDocument document) =>
        new() { Schema = new OpenApiSchemaReference(schema, document), Examples = Examples(examples) };

    private static Dictionary<string, IOpenApiExample> Examples(IEnumerable<Example> examples) =>
        examples.ToDictionary(example => example.Name, IOpenApiExample (example) => new OpenApiExample { Value = JsonNode.Parse(example.Json) });
}
