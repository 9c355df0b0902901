using CallOrchestration.Host;
using CallOrchestration.Outbound;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace CallOrchestration.Benchmarks.Schedulers;

/// <summary>The real host, whose dialler also writes down when it was called: it counts in the handler, where a phone would ring.</summary>
internal static class HostChild
{
    public const string Command = "host-under-measurement";

    public static async Task<int> Run()
    {
        var recorder = new StartRecorder();
        var builder = Application.CreateBuilder(["--urls", "http://127.0.0.1:0"]);
        // Standard output belongs to the measurement.
        builder.Logging.ClearProviders().AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.AddSingleton<IDialer>(new CountingDialer(FakeDialer.From(Settings.Of(builder)), recorder));
        await using var app = Application.Build(builder);
        await Application.Prepare(app, withDemo: false);
        await app.StartAsync();
        await recorder.Serve();
        await app.StopAsync();
        recorder.TellStarts();
        return 0;
    }

    private sealed class CountingDialer(IDialer fake, StartRecorder recorder) : IDialer
    {
        public Task<DialResult> Dial(DialRequest request, CancellationToken cancellation)
        {
            recorder.Started(CallRows.NumberOf(request.To), request.Attempt);
            return fake.Dial(request, cancellation);
        }
    }
}
