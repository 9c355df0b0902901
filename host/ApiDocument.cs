namespace CallOrchestration.Host;

internal static class ApiDocument
{
    public static void AddApiDocument(this IHostApplicationBuilder builder) => builder.Services.AddOpenApi("v1");

    public static void MapApiDocument(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        app.UseSwaggerUI(page =>
        {
            page.RoutePrefix = "swagger";
            page.SwaggerEndpoint("/openapi/v1.json", "CallOrchestration");
            page.DocumentTitle = "CallOrchestration";
        });
    }
}
