using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace CallOrchestration.Simulator.Provider;

/// <summary>
/// A form's fields with their names exactly as sent. ASP.NET's own form knows no upper and lower case, and Exotel does: a client that
/// writes <c>callerId</c> must find out here.
/// </summary>
internal static class FormFields
{
    /// <summary>Empty where the body is no form.</summary>
    /// <exception cref="InvalidDataException">The form cannot be read, or is far larger than any call needs.</exception>
    public static async Task<Dictionary<string, string>> Read(HttpRequest request)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)) return fields;

        if (type.MediaType == "application/x-www-form-urlencoded")
        {
            using var form = new FormReader(request.Body);
            while (await form.ReadNextPairAsync(request.HttpContext.RequestAborted) is { } pair) fields[pair.Key] = pair.Value;
        }
        else if (type.MediaType == "multipart/form-data" && Boundary(type) is { Length: > 0 } boundary)
        {
            var parts = new MultipartReader(boundary, request.Body);
            while (await parts.ReadNextSectionAsync(request.HttpContext.RequestAborted) is { } part)
            {
                if (part.AsFormDataSection() is { } field) fields[field.Name] = await field.GetValueAsync(request.HttpContext.RequestAborted);
            }
        }

        return fields;
    }

    private static string? Boundary(MediaTypeHeaderValue type) =>
        type.Parameters.FirstOrDefault(parameter => parameter.Name.Equals("boundary", StringComparison.OrdinalIgnoreCase))?.Value?.Trim('"');
}
