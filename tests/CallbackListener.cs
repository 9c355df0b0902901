using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CallOrchestration.Tests;

/// <summary>What came in, byte for byte.</summary>
internal sealed record HeardRequest(string Method, string Query, string? ContentType, string Body)
{
    /// <summary>The value of a multipart, urlencoded or JSON field; null where it is not there.</summary>
    public string? Field(string name) =>
        ContentType switch
        {
            "application/json" => System.Text.Json.Nodes.JsonNode.Parse(Body)![name]?.ToString(),
            "application/x-www-form-urlencoded" => Form(Body).GetValueOrDefault(name),
            null => Form(Query.TrimStart('?')).GetValueOrDefault(name),
            _ => Body.Split($"name=\"{name}\"\r\n\r\n") is [_, var rest] ? rest.Split("\r\n")[0] : null,
        };

    private static Dictionary<string, string> Form(string text) =>
        Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(text).ToDictionary(field => field.Key, field => field.Value.ToString());
}

/// <summary>The client's side of status callbacks: takes everything, and answers as told.</summary>
internal sealed class CallbackListener : IAsyncDisposable
{
    private readonly WebApplication web;
    private readonly Channel<HeardRequest> heard = Channel.CreateUnbounded<HeardRequest>();
    private readonly ConcurrentQueue<int> answers = new();

    private CallbackListener(WebApplication web) => this.web = web;

    /// <summary>Where callbacks go, with a query of the client's own.</summary>
    public string Url => $"{web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()}/heard?call=1&attempt=2";

    /// <summary>Runs before a request is answered.</summary>
    public Func<HeardRequest, Task> BeforeAnswer { get; set; } = _ => Task.CompletedTask;

    /// <summary>The next requests are answered with these; 0 is no answer until the caller gives up. Then 200 again.</summary>
    public void Answers(params int[] statuses)
    {
        foreach (var status in statuses) answers.Enqueue(status);
    }

    public static async Task<CallbackListener> Start()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var listener = new CallbackListener(builder.Build());
        listener.web.Run(listener.Hear);
        await listener.web.StartAsync(TestContext.Current.CancellationToken);
        return listener;
    }

    public ValueTask<HeardRequest> Next() => heard.Reader.ReadAsync(TestContext.Current.CancellationToken);

    /// <summary>What came in and was not taken yet.</summary>
    public IReadOnlyList<HeardRequest> Rest()
    {
        var rest = new List<HeardRequest>();
        while (heard.Reader.TryRead(out var request)) rest.Add(request);
        return rest;
    }

    public async ValueTask DisposeAsync()
    {
        await web.StopAsync();
        await web.DisposeAsync();
    }

    private async Task Hear(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var request = new HeardRequest(
            context.Request.Method, context.Request.QueryString.Value ?? "", context.Request.ContentType, await reader.ReadToEndAsync(context.RequestAborted));
        heard.Writer.TryWrite(request);
        await BeforeAnswer(request);
        if (!answers.TryDequeue(out var status)) status = 200;
        if (status == 0)
        {
            var gone = new TaskCompletionSource();
            await using (context.RequestAborted.Register(gone.SetResult)) await gone.Task;
            return;
        }

        context.Response.StatusCode = status;
    }
}
