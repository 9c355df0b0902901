using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace CallOrchestration.Simulator.Provider;

/// <summary><c>Calls/connect</c>: refuses, or writes the call into the ledger, and only then answers as its script has it.</summary>
internal sealed class PlaceCall(ExotelOptions options, Ledger ledger, CallBook book, CallObject shown, CallStory story, Errands errands)
{
    private const double ThrottledSeconds = 30;

    public async Task Handle(HttpContext context, Answer answer)
    {
        Dictionary<string, string> fields;
        try
        {
            fields = await FormFields.Read(context.Request);
        }
        catch (Exception unreadable) when (unreadable is InvalidDataException or IOException && !context.RequestAborted.IsCancellationRequested)
        {
            await Refuse(answer, null, null, RestException.Invalid("The form cannot be read"));
            return;
        }

        if (ReadConnect.Of(fields, out var wrong) is not { } asked)
        {
            await Refuse(answer, null, null, RestException.Invalid(wrong));
            return;
        }

        var script = options.ScriptOf?.Invoke(asked.From) ?? Scripts.For(asked.From, options.Seed);
        if (WhyNot(asked, script) is { } error)
        {
            await Refuse(answer, asked, script, error);
            return;
        }

        await Place(context, answer, book.Open(asked, script, options.Time.GetUtcNow()));
    }

    /// <summary>A request that places no call, with its line first.</summary>
    public Task Refuse(Answer answer, ConnectRequest? asked, Script? script, RestException error)
    {
        ledger.Write(new()
        {
            Kind = LedgerKind.Refused,
            From = asked?.From,
            CustomField = asked?.CustomField,
            Attempt = asked?.Attempt,
            Script = script?.Name,
            HttpStatus = error.Status,
            Message = error.Message,
        });
        options.Say($"refused  {(asked is null ? "" : PhoneNumber.Shortened(asked.From) + "  ")}{error.Status} {(error.Status == 403 ? "do-not-disturb" : error.Message)}");
        return answer.Refuse(error);
    }

    private RestException? WhyNot(ConnectRequest asked, Script script) => script.Connect switch
    {
        ConnectAnswer.DoNotDisturb => RestException.DoNotDisturb(Exotel.Line.Domestic(asked.From)),
        ConnectAnswer.BadRequest => RestException.Invalid("The number in From cannot be called"),
        ConnectAnswer.ServerError => RestException.Internal,
        ConnectAnswer.ThrottledOnce when book.FirstTime(asked) => RestException.TooMany((int)Math.Ceiling(ThrottledSeconds / options.Speed)),
        _ => null,
    };

    private async Task Place(HttpContext context, Answer answer, ProviderCall call)
    {
        ledger.Write(call.Entry(LedgerKind.Dial) with { From = call.Asked.From, To = call.Asked.To, Dial = call.Dial, HttpStatus = StatusOf(call) });
        book.Enter(call);
        options.Say($"dial     {PhoneNumber.Shortened(call.Asked.From)}  {call.Script.Name}{(call.Dial > 1 ? $", dial {call.Dial}" : "")} → {StatusOf(call)?.ToString() ?? "no answer"}");
        if (call.Asked.Ignored.Count > 0) options.Say($"         {PhoneNumber.Shortened(call.Asked.From)}  ignored: {string.Join(", ", call.Asked.Ignored)}");

        // What connect shows is the moment of acceptance, also where the answer is late.
        var accepted = new JsonObject { ["Call"] = shown.Of(call, call.State) };
        if (options.Accepted is { } witness) await witness(call);

        // Under way before the answer is out, so that whoever has the answer can await the quiet; but it plays only after the answer.
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var played = errands.Run(async stop =>
        {
            await answered.Task;
            await story.Play(call, stop);
        });
        if (call.Script.Connect is ConnectAnswer.AfterTheCallbacks or ConnectAnswer.Never) answered.SetResult();
        if (call.Script.Connect == ConnectAnswer.AfterTheCallbacks) await played;
        try
        {
            await AnswerAsScripted(context, answer, call.Script.Connect, accepted);
        }
        finally
        {
            // Also where the client is gone by now: the call was accepted.
            answered.TrySetResult();
        }
    }

    private async Task AnswerAsScripted(HttpContext context, Answer answer, ConnectAnswer scripted, JsonObject accepted)
    {
        switch (scripted)
        {
            case ConnectAnswer.Cut:
                context.Abort();
                break;
            case ConnectAnswer.Never:
                await Forever(context);
                break;
            case ConnectAnswer.ServerErrorThoughPlaced:
                await answer.Refuse(RestException.Internal);
                break;
            case ConnectAnswer.ErrorIn200:
                await answer.Refuse(RestException.Internal, status: 200);
                break;
            case ConnectAnswer.BrokenBody:
                await answer.WriteHalf(accepted);
                break;
            default:
                await answer.Write(accepted);
                break;
        }
    }

    // Until the client gives up, or the server goes. It is cut then: to end the request normally would be an empty 200.
    private async Task Forever(HttpContext context)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, errands.Stopping);
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (either.Token.Register(over.SetResult)) await over.Task;
        context.Abort();
    }

    private static int? StatusOf(ProviderCall call) => call.Script.Connect switch
    {
        ConnectAnswer.Cut or ConnectAnswer.Never => null,
        ConnectAnswer.ServerErrorThoughPlaced => 500,
        _ => 200,
    };
}
