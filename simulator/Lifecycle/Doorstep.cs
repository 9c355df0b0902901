using System.Net;
using CallOrchestration.Simulator.Exotel;
using CallOrchestration.Simulator.Host;
using Npgsql;

namespace CallOrchestration.Simulator.Lifecycle;

/// <summary>
/// Looks before anything is played whether the host, the key, the token and the database are as told: one clear sentence is worth more
/// than every scenario failing for the same reason.
/// </summary>
internal static class Doorstep
{
    public static async Task<string?> WhatIsWrong(LifecycleOptions options, HttpClient http, CallRows? rows, CancellationToken cancellation)
    {
        try
        {
            return await WhatIsWrongWithTheDialler(options, http, cancellation)
                ?? await WhatIsWrongWithTheHost(options, http, cancellation) ?? await WhatIsWrongWithTheDatabase(rows, cancellation);
        }
        catch (HttpRequestException)
        {
            return $"No host answers at {options.Url}: start it with ./run, or say with --url where it is.";
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"The host at {options.Url} did not answer within {options.Patience.TotalSeconds:0.#} s (--patience).";
        }
    }

    /// <summary>The numbers played are made up, and some of them are somebody's: none may reach a provider that rings them.</summary>
    private static async Task<string?> WhatIsWrongWithTheDialler(LifecycleOptions options, HttpClient http, CancellationToken cancellation)
    {
        const string Exotel = "Exotel at ";
        var dialler = await new HostApi(http, options.Key).Dialler(cancellation);
        if (dialler?.StartsWith(Exotel, StringComparison.Ordinal) != true) return null;
        if (options.Exotel is null)
            return $"The host at {options.Url} dials through {dialler}, and this plays made-up numbers: use a host with Dialer__Provider=Fake, or --provider exotel.";
        return Uri.TryCreate(dialler[Exotel.Length..], UriKind.Absolute, out var address) && address.IsLoopback
            ? null
            : $"The host at {options.Url} dials through {dialler}, which is not on this machine: it must be the fake one.";
    }

    private static async Task<string?> WhatIsWrongWithTheHost(LifecycleOptions options, HttpClient http, CancellationToken cancellation)
    {
        var summary = await new HostApi(http, options.Key).Summary(cancellation);
        switch (summary.HttpStatus)
        {
            case HttpStatusCode.OK:
                break;
            case HttpStatusCode.Unauthorized:
                return "The host refuses the API key: give the organization's with --key (./run prints that of the demo organization).";
            default:
                return $"{options.Url} answers {(int)summary.HttpStatus}{ErrorAnswer.Reason(summary.Body)} to {summary.Request}: "
                    + "is that the host, and is its database up?";
        }

        var reply = await new Deliveries(http, options.WebhookToken).AboutNoCall(cancellation);
        return reply.HttpStatus switch
        {
            HttpStatusCode.BadRequest => null,
            HttpStatusCode.Unauthorized =>
                "The host refuses the webhook token: give the organization's with --webhook-token (./run prints that of the demo organization).",
            _ => $"{options.Url} answers {(int)reply.HttpStatus} to a webhook without CallSid, and not 400: is that the host?",
        };
    }

    private static async Task<string?> WhatIsWrongWithTheDatabase(CallRows? rows, CancellationToken cancellation)
    {
        try
        {
            if (rows is not null)
            {
                await rows.Find(Guid.Empty, cancellation);
            }

            return null;
        }
        catch (PostgresException wrong)
        {
            return $"The database of --database cannot be read: {wrong.MessageText}.";
        }
        catch (NpgsqlException)
        {
            return "The database of --database does not answer: look at its host, port and user.";
        }
    }
}
