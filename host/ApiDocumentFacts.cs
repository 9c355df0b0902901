using System.Globalization;
using System.Text.Json.Nodes;
using CallOrchestration.Calls;
using Microsoft.OpenApi;

namespace CallOrchestration.Host;

/// <summary>A field, parameter or header. What is not said here stays as the code's types say it.</summary>
internal sealed record Field(
    string? Description = null,
    JsonSchemaType? Type = null,
    string? Format = null,
    string? Pattern = null,
    IReadOnlyList<string>? Words = null,
    int? Least = null,
    int? Most = null,
    string? Standard = null,
    string? Example = null,
    Field? Each = null,
    bool Required = false)
{
    public OpenApiSchema Onto(OpenApiSchema schema)
    {
        bool Is(JsonSchemaType type) => schema.Type?.HasFlag(type) == true;

        schema.Description = Description ?? schema.Description;
        schema.Type = Type ?? schema.Type;
        schema.Format = Format ?? schema.Format;
        schema.Pattern = Pattern ?? schema.Pattern;
        if (Standard is not null) schema.Default = JsonNode.Parse(Standard);
        if (Is(JsonSchemaType.Integer))
        {
            (schema.Minimum, schema.Maximum) = (Least?.ToString(CultureInfo.InvariantCulture), Most?.ToString(CultureInfo.InvariantCulture));
        }
        else if (Is(JsonSchemaType.Array))
        {
            (schema.MaxItems, schema.Items) = (Most, Each?.Onto(new()) ?? schema.Items);
        }
        else if (Is(JsonSchemaType.Object))
        {
            // An object of words has each of them as a member; without any, its members are the client's or the provider's own.
            schema.OneOf = null;
            schema.Properties = Words?.ToDictionary(word => word, _ => schema.AdditionalProperties!);
            schema.Required = Words?.ToHashSet();
            schema.AdditionalProperties = Words is null ? Each?.Onto(new()) ?? new OpenApiSchema() : null;
        }
        else
        {
            (schema.MinLength, schema.MaxLength) = (Least, Most);
            if (Example is not null) schema.Examples = [Example];
            if (Words is not null) schema.Enum = [.. Words.Select(word => (JsonNode)word)];
            if (Words is not null && Is(JsonSchemaType.Null)) schema.Enum!.Add(JsonNullSentinel.JsonNull);
        }

        return schema;
    }
}

internal sealed record Example(string Name, string Json);

/// <summary>An answer beside success; its schema is null where it has no body.</summary>
internal sealed record AnswerFacts(int Status, string Description, string? Schema, IReadOnlyList<string> Headers, IReadOnlyList<Example> Examples);

internal sealed record ProblemFacts(string About, IReadOnlyList<(string Name, Field Field)> Fields);

internal sealed record OperationFacts(int Status, string Success, IReadOnlyList<string> Others)
{
    /// <summary>For an operation that has none in the code.</summary>
    public string? Description { get; init; }

    public IReadOnlyList<(ParameterLocation In, string Name, Field Field)> Parameters { get; init; } = [];

    public IReadOnlyList<Example> Bodies { get; init; } = [];

    public WebhookFacts? Webhook { get; init; }

    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>Of the answer to success.</summary>
    public IReadOnlyList<Example> Examples { get; init; } = [];
}

/// <summary>
/// What the code does not say of the API by itself, as tables; long, since each line is a fact of its own. Tests hold every example against its
/// schema, and the schemas against real answers.
/// </summary>
internal static class ApiDocumentFacts
{
    private const JsonSchemaType Text = JsonSchemaType.String;
    private const JsonSchemaType Whole = JsonSchemaType.Integer;
    private const JsonSchemaType Nullable = JsonSchemaType.Null;
    private const string E164 = @"^\+[1-9][0-9]{6,14}$";

    public const string About =
        """
        Orchestrates phone calls: takes in the calls that reach an organization, dials the ones that it plans, and follows each to its end.

        **The life of a call.** A call is one row with a `status` and, in the end, an `outcome`.

        - `PENDING`: not dialled yet. The scheduler dials it at `next_action_at`, never early and at most once for each attempt.
        - `IN_PROGRESS`: claimed, dialled, ringing or talking; an inbound call begins here. `next_action_at` is when the orchestrator stops waiting
          for the provider, so that no call can be stuck.
        - `COMPLETED`: over for good. `outcome` says how: `completed`, `no-answer`, `busy`, `failed`, `canceled`, or `unknown` where nobody ever told.

        An outbound call that rings out goes back to `PENDING` once, with `retries` 1; the second `no-answer` ends it. A `PENDING` call can be
        called off.

        **Conventions.** JSON in snake_case; times are RFC 3339, answered in UTC and taken with any offset; unknown fields are refused. Every error is
        `application/problem+json`, and a validation error lists each wrong field under `errors`. A request's body has at most 64 KB.
        """;

    public static readonly (string Name, string About)[] Tags =
    [
        ("Calls", "The organization's calls. Another organization's call is 404, exactly as one that does not exist."),
        ("Webhooks",
            "Where the provider (Exotel) tells of calls. A 200 means that the message is committed. Absent, empty and `null` fields change nothing; "
            + "unknown fields and words are kept in the call's history and are never an error. HEAD is taken too and does what GET does, without the "
            + "answer's body; without any field it is a probe, answered 200."),
        ("Health", "For load balancers and service managers. No key is needed."),
    ];

    public static readonly Dictionary<string, OpenApiSecurityScheme> Schemes = new()
    {
        [Calls.Schemes.ApiKey] = new()
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "An organization's API key. On a host with its private PostgreSQL the demo organization's is `demo-key`.",
        },
        [Calls.Schemes.WebhookToken] = new()
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Query,
            Name = "token",
            Description = "An organization's webhook token, in the URL that the provider was given. The demo organization's is `demo-token`.",
        },
        [Calls.Schemes.Callback] = new()
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Query,
            Name = "signature",
            Description = "The signature of one attempt's callback URL, in place of a token: good for its `call` and `attempt` alone.",
        },
    };

    /// <summary>The security schemes of which one is enough, for an authorization policy.</summary>
    public static string[] SchemesOf(string policy) =>
        policy == Calls.Schemes.Callback ? [Calls.Schemes.WebhookToken, Calls.Schemes.Callback] : [policy];

    public static readonly Dictionary<string, Field> Headers = new()
    {
        ["Location"] = new("The call's path.", Text, "uri-reference"),
        ["ETag"] = new("The call's revision, in quotes: `\"1\"`. For If-Match and If-None-Match.", Text),
        [InsertCall.IdempotencyReplayed] = new("Where this is the first answer to the Idempotency-Key again; else absent.", Text, Words: ["true"]),
        ["Retry-After"] = new("Seconds to wait before the same request.", Whole, Least: 0),
        ["WWW-Authenticate"] = new("`Bearer`.", Text),
    };

    public static readonly Dictionary<string, string> SchemaDescriptions = new()
    {
        ["Call"] = "A call. Times are UTC.",
        ["ReadCall.CallWithHistory"] = "A call with everything that happened to it. Times are UTC.",
        ["ReadCall.HistoryEntry"] = "A change of the call's status, or an event of the provider.",
        ["ListCalls.Page"] = "One page of the list.",
        ["SummarizeCalls.Summary"] = "The organization's calls at one moment.",
        ["CreateCall.Request"] = "A call to create.",
        ["CreateOutboundCall.Request"] = "A call to create and dial.",
        ["CallChange.Request"] = "A JSON merge patch: what is absent stays as it is.",
        ["ReceiveInboundCall.Response"] = "The call that the request is about.",
        ["AppliedEvent"] = "What the call is after the event.",
        ["CallConnection"] = "What a customer who answers is connected with: exactly one of the three.",
        ["Health.State"] = "How the host is.",
    };

    private static readonly Field NewMetadata = new(
        "The client's own JSON object, up to 8 KB; given back as it is.", JsonSchemaType.Object | Nullable);
    private static readonly Field NewFrom = new("The number that calls, E.164.", Text, Pattern: E164, Required: true);
    private static readonly Field NewTo = new("The number that is called, E.164.", Text, Pattern: E164, Required: true);

    /// <summary>Fields by name, where one schema's differs as schema.name. A name means the same wherever it stands.</summary>
    private static readonly Dictionary<string, Field> Fields = new()
    {
        ["direction"] = new(Words: CallDirection.All),
        ["status"] = new(Words: CallStatus.All),
        ["outcome"] = new(Words: CallOutcome.All),
        ["source"] = new(Words: ["api", "scheduler", "provider", "watchdog", "database"]),
        ["next_action_at"] = new(
            "When the orchestrator next acts on the call by itself. PENDING: it dials (null: nothing is scheduled). IN_PROGRESS: it stops waiting "
            + "for the provider, never null. COMPLETED: null."),
        ["retries"] = new(Least: 0, Most: 1),
        ["attempt"] = new(Least: 1, Most: 2),
        ["duration_seconds"] = new(Least: 0),
        ["recording_url"] = new(Format: "uri"),
        ["metadata"] = new(Type: JsonSchemaType.Object | Nullable),
        ["connect"] = new("What the customer who answers is connected with; null: what the host's settings say."),
        ["flow_url"] = new("A call flow of the provider's account.", Format: "uri"),
        ["stream_url"] = new("A websocket that talks, for voice bots: ws or wss.", Format: "uri"),
        ["number"] = new("A second number, E.164.", Pattern: E164),
        ["dialer"] = new("Who places this host's calls, in /health/ready: `Fake`, which places none, or Exotel and its address."),
        ["dialing_paused"] = new("Why this host dials nothing at present; absent or null where it does."),
        ["revision"] = new(Least: 1),
        ["history"] = new(Most: 64),
        ["history_dropped"] = new(Least: 0),
        ["applied"] = new(Type: JsonSchemaType.Boolean),
        ["details"] = new("What came with it, as it came.", JsonSchemaType.Object),
        ["total"] = new(Least: 0),
        ["by_status"] = new(Words: CallStatus.All),
        ["by_outcome"] = new(Words: CallOutcome.All),
        ["due_now"] = new(Least: 0),
        ["retries_waiting"] = new(Least: 0),
        ["ReceiveInboundCall.Response.status"] = new("Its status now; null for an outbound call that is not ours.", Words: CallStatus.All),
        ["Health.State.status"] = new("`live`, or `ready`.", Words: ["live", "ready"]),
        ["CreateCall.Request.direction"] = new(
            "Who calls whom; null is OUTBOUND.", Text | Nullable, Words: CallDirection.All, Standard: $"\"{CallDirection.Outbound}\""),
        ["CreateCall.Request.from"] = NewFrom,
        ["CreateCall.Request.to"] = NewTo,
        ["CreateCall.Request.next_action_at"] = new(
            "When to dial, with any offset; a past time means now. Without it nothing is scheduled. An inbound call takes none.",
            Text | Nullable, "date-time"),
        ["CreateCall.Request.metadata"] = NewMetadata,
        ["CreateOutboundCall.Request.from"] = NewFrom,
        ["CreateOutboundCall.Request.to"] = NewTo,
        ["CreateOutboundCall.Request.next_action_at"] = new(
            "When to dial, with any offset; a past time means now, and so does none.", Text | Nullable, "date-time"),
        ["CreateOutboundCall.Request.metadata"] = NewMetadata,
        ["CallChange.Request.status"] = new(
            "IN_PROGRESS dials an outbound call now; COMPLETED ends it, or calls it off.", Text, Words: CallStatus.All),
        ["CallChange.Request.outcome"] = new(
            "How it ended; with the status COMPLETED only. By default completed, or canceled where the call is PENDING.",
            Text, Words: CallOutcome.All),
        ["CallChange.Request.next_action_at"] = new(
            "Another time to dial, with any offset; while PENDING only. null takes the call off the schedule.", Text | Nullable, "date-time"),
        ["CallChange.Request.metadata"] = new(
            "Merged with what is there (RFC 7396), up to 8 KB in all; null removes it, and within it a null removes a field.",
            JsonSchemaType.Object | Nullable),
    };

    public static Field? FieldOf(string schema, string name) => Fields.GetValueOrDefault($"{schema}.{name}") ?? Fields.GetValueOrDefault(name);

    /// <summary>Every other field of an answer is always there, if need be with null.</summary>
    public static readonly HashSet<string> SometimesAbsent =
    [
        "ReadCall.HistoryEntry.applied", "ReadCall.HistoryEntry.details", "Health.State.dialer", "Health.State.dialing_paused",
        "CallConnection.flow_url", "CallConnection.stream_url", "CallConnection.number",
    ];

    private static readonly (string, Field)[] ProblemFields =
    [
        ("type", new("Names the kind of error.", Text, "uri", Required: true)),
        ("title", new("What is wrong, in a few words.", Text, Required: true)),
        ("status", new("The HTTP status.", Whole, Least: 400, Most: 599, Required: true)),
        ("detail", new("What is wrong with this request, where there is more to say.", Text)),
        ("trace_id", new("Names this request.", Text)),
    ];

    private static readonly Field Errors = new(
        "Each wrong field, in the spelling of the request, with what is wrong with it.",
        JsonSchemaType.Object, Each: new(Type: JsonSchemaType.Array, Each: new(Type: Text)));

    public static readonly Dictionary<string, ProblemFacts> Problems = new()
    {
        ["Problem"] = new("An error (RFC 9457).", [.. ProblemFields, ("errors", Errors)]),
        ["ValidationProblem"] = new("An error with the fields that are wrong.", [.. ProblemFields, ("errors", Errors with { Required = true })]),
        ["ConflictProblem"] = new("An error with what the call is and what it could become.",
        [
            .. ProblemFields,
            ("call_status", new("The call's status at this moment.", Text, Words: CallStatus.All, Required: true)),
            ("allowed", new(
                "What the status could be set to instead, with the outcome in brackets where only one is possible.",
                JsonSchemaType.Array, Each: new(Type: Text), Required: true)),
        ]),
    };

    /// <summary>The answers beside success, each of them under its name for every operation that gives it.</summary>
    public static readonly Dictionary<string, AnswerFacts> Answers = new()
    {
        ["NotModified"] = new(304, "The call is still at the revision that If-None-Match names.", null, ["ETag"], []),
        ["NotValid"] = Error(400, "9110#section-15.5.1", "The request is not valid.", "The request is not valid; `errors` names each wrong field.",
            """ "errors": { "to": ["must be an E.164 number, such as +919900000001"] } """, "ValidationProblem"),
        ["NotUnderstood"] = Error(400, "9110#section-15.5.1", "The request is not valid.",
            "Nothing in the message names a call, or its body is neither a form nor a JSON object.",
            """ "errors": { "CallSid": ["is missing"] } """),
        ["NoKey"] = Error(401, "9110#section-15.5.2", "Unauthorized",
            "The API key is missing or wrong.", NotAuthorized, headers: ["WWW-Authenticate"]),
        ["NoToken"] = Error(401, "9110#section-15.5.2", "Unauthorized",
            "The webhook token, or the signature, is missing or wrong. Nothing was stored.", NotAuthorized),
        ["NoSuchCall"] = Error(404, "9110#section-15.5.5", "There is no such call.",
            "No call of this organization has this id. Where the id is no UUID, `errors` says so.", NotFound),
        ["NotYet"] = Error(404, "9110#section-15.5.5", "There is no such call.",
            "The organization has no such call, so far: send the message again.", NotFound),
        ["Conflict"] = Error(409, "9110#section-15.5.10", "The call cannot change like this.",
            "The call cannot change like this: it is too late, or no legal transition. Says what the call is, and what is allowed.",
            """
            "detail": "The call is IN_PROGRESS and cannot become PENDING. Allowed from here: COMPLETED.",
            "call_status": "IN_PROGRESS", "allowed": ["COMPLETED"]
            """, "ConflictProblem"),
        ["Changed"] = Error(412, "9110#section-15.5.13", "The call has changed.", "The call is no longer at the revision that If-Match names.",
            """ "detail": "The call is at revision 3; read it again." """),
        ["TooLarge"] = Error(413, "9110#section-15.5.14", "Content Too Large", "The body is larger than 64 KB (65,536 bytes)."),
        ["NotJson"] = Error(415, "9110#section-15.5.16", "Unsupported Media Type", "The body's content type is none of those listed."),
        ["KeyTaken"] = Error(422, "4918#section-11.2", "The Idempotency-Key is taken.", "The Idempotency-Key came with another request before.",
            """ "detail": "This key came with another request before." """),
        ["Failed"] = Error(500, "9110#section-15.6.1", "An error occurred while processing your request.", "The host failed, and its log says how."),
        ["Away"] = Error(503, "9110#section-15.6.4", "Service Unavailable", "The database is away for the moment; the same request will do later.",
            """ "detail": "The database is away for the moment; the same request will do later." """, headers: ["Retry-After"]),
        ["NotReady"] = Error(503, "9110#section-15.6.4", "The host is not ready.", "The host cannot do its work; `detail` says why.",
            """ "detail": "The database cannot be written and read (SocketException)." """),
    };

    private static AnswerFacts Error(
        int status, string rfc, string title, string description, string? more = null, string schema = "Problem", params string[] headers) =>
        new(status, description, schema, headers, [new(title,
            $$"""
            {
              "type": "https://tools.ietf.org/html/rfc{{rfc}}", "title": "{{title}}", "status": {{status}},
              {{(more is null ? "" : more + ",")}} "trace_id": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
            }
            """)]);

    private const string NotAuthorized =
        """
        "detail": "This needs a valid API key (Authorization: Bearer …), webhook token (?token=…) or callback signature."
        """;

    private const string NotFound = """ "detail": "No call of this organization has this id." """;

    private static readonly string[] Always = ["NoKey", "Failed", "Away"];
    private static readonly string[] WithBody = ["NotValid", "TooLarge", "NotJson", .. Always];
    private static readonly string[] OfWebhook = ["NotUnderstood", "NoToken", "TooLarge", "Failed", "Away"];

    private static readonly (ParameterLocation, string, Field) Id =
        (ParameterLocation.Path, "id", new("The call's id.", Text, "uuid"));

    private static readonly (ParameterLocation, string, Field) IdempotencyKey =
        (ParameterLocation.Header, InsertCall.IdempotencyKey, new(
            "Makes the request safe to repeat: the same key and body are answered as the first time. Printable ASCII of the client's choice, kept "
            + "as long as the call.", Text, Pattern: "^[ -~]+$", Least: 1, Most: 255));

    private const string Created = "The call was created, now or by the first request with this Idempotency-Key.";

    public static readonly Dictionary<string, OperationFacts> Operations = new()
    {
        ["CreateCall"] = new(201, Created, [.. WithBody, "KeyTaken"])
        {
            Parameters = [IdempotencyKey],
            Bodies =
            [
                new("A call that nothing is scheduled for", """{ "from": "+918047110000", "to": "+919900000001" }"""),
                new("A call for a later time",
                    """
                    {
                      "direction": "OUTBOUND", "from": "+918047110000", "to": "+919900000001", "next_action_at": "2027-01-01T14:30:00+05:30",
                      "metadata": { "customer": "C-1001" }
                    }
                    """),
            ],
            Headers = ["Location", "ETag", InsertCall.IdempotencyReplayed],
            Examples = [new("A call for a later time", Pending)],
        },
        ["CreateOutboundCall"] = new(201, Created, [.. WithBody, "KeyTaken"])
        {
            Parameters = [IdempotencyKey],
            Bodies =
            [
                new("Dial now", """{ "from": "+918047110000", "to": "+919900000001" }"""),
                new("Dial later",
                    """
                    {
                      "from": "+918047110000", "to": "+919900000001", "next_action_at": "2027-01-01T09:00:00Z",
                      "metadata": { "customer": "C-1001" }
                    }
                    """),
                new("Connect the customer with a bot",
                    """
                    { "from": "+918047110000", "to": "+919900000001", "connect": { "stream_url": "wss://bots.example.com/reminder" } }
                    """),
            ],
            Headers = ["Location", "ETag", InsertCall.IdempotencyReplayed],
            Examples = [new("A call that will be dialled", Pending)],
        },
        ["ListCalls"] = new(200, "One page of the calls that match.", ["NotValid", .. Always])
        {
            Parameters =
            [
                (ParameterLocation.Query, "status", new("Calls of this status.", Text, Words: CallStatus.All)),
                (ParameterLocation.Query, "direction", new("Calls of this direction.", Text, Words: CallDirection.All)),
                (ParameterLocation.Query, "outcome", new("Calls that ended like this.", Text, Words: CallOutcome.All)),
                (ParameterLocation.Query, "from", new("Calls from this number, E.164.", Text, Pattern: E164)),
                (ParameterLocation.Query, "to", new("Calls to this number, E.164.", Text, Pattern: E164)),
                (ParameterLocation.Query, "created_after", new("Calls created after this time.", Text, "date-time")),
                (ParameterLocation.Query, "created_before", new("Calls created before this time.", Text, "date-time")),
                (ParameterLocation.Query, "due_before", new("PENDING calls that are due before this time.", Text, "date-time")),
                (ParameterLocation.Query, "limit", new("The most calls of a page.", Whole, Least: 1, Most: 200, Standard: "50")),
                (ParameterLocation.Query, "cursor", new("next_cursor of the page before.", Text)),
            ],
            Examples = [new("The last page", $$"""{ "items": [{{Pending}}], "next_cursor": null }""")],
        },
        ["SummarizeCalls"] = new(200, "The summary.", Always)
        {
            Examples = [new("A morning's work",
                """
                {
                  "as_of": "2027-01-01T09:00:30.5Z", "total": 12, "by_status": { "PENDING": 3, "IN_PROGRESS": 1, "COMPLETED": 8 },
                  "by_outcome": { "completed": 5, "no-answer": 1, "busy": 1, "failed": 0, "canceled": 1, "unknown": 0 }, "due_now": 1,
                  "latest_by_seconds": 0.25, "next_due_at": "2027-01-01T09:05:00Z", "oldest_in_progress_at": "2027-01-01T08:58:12Z",
                  "retries_waiting": 1, "dialing_paused": null
                }
                """)],
        },
        ["ReadCall"] = new(200, "The call with its history.", ["NotModified", "NoSuchCall", .. Always])
        {
            Parameters = [Id, (ParameterLocation.Header, "If-None-Match", new("An ETag of this call: 304 while it is at that revision.", Text))],
            Headers = ["ETag"],
            Examples = [new("A call that was answered", WithHistory)],
        },
        ["ChangeCall"] = new(200, "The call after the change.", [.. WithBody, "NoSuchCall", "Conflict", "Changed"])
        {
            Parameters = [Id, (ParameterLocation.Header, "If-Match", new("An ETag of this call: 412 once it is past that revision.", Text))],
            Bodies =
            [
                new("Move its time", """{ "next_action_at": "2027-01-01T09:00:00Z" }"""),
                new("Dial now", """{ "status": "IN_PROGRESS" }"""),
                new("Call it off", """{ "status": "COMPLETED", "outcome": "canceled" }"""),
                new("Merge metadata", """{ "metadata": { "customer": "C-1001", "note": null } }"""),
            ],
            Headers = ["ETag"],
            Examples = [new("A call whose time was moved", Pending.Replace("\"revision\": 1,", "\"revision\": 2,", StringComparison.Ordinal))],
        },
        ["ReceiveInboundCall"] = new(200, "The message is committed. Always exactly 200.", OfWebhook)
        {
            Webhook = ApiDocumentWebhooks.Applet,
            Examples =
            [
                new("A call that has begun", """{ "call_id": "019b7600-0000-7000-8000-0000000000a2", "status": "IN_PROGRESS" }"""),
                new("An outbound call that is not ours", """{ "call_id": null, "status": null }"""),
            ],
        },
        ["ReceiveProviderEvent"] = new(200, "The message is committed. Always exactly 200.", [.. OfWebhook, "NotYet"])
        {
            Parameters =
            [
                (ParameterLocation.Query, "call", new("Our id of the call, as in the callback URL that the provider was given.", Text, "uuid")),
                (ParameterLocation.Query, "attempt", new("The attempt that the callback URL was made for.", Whole, Least: 1, Most: 2)),
                (ParameterLocation.Query, "signature", new("Signs `call` and `attempt`, in place of the token, which is then not looked at.", Text)),
            ],
            Webhook = ApiDocumentWebhooks.StatusCallback,
            Examples =
            [
                new("It changed the call", """{ "call_id": "019b7600-0000-7000-8000-0000000000a1", "status": "COMPLETED", "applied": true }"""),
                new("It was late, or repeated", """{ "call_id": "019b7600-0000-7000-8000-0000000000a1", "status": "COMPLETED", "applied": false }"""),
            ],
        },
        ["Live"] = new(200, "It runs.", [])
        {
            Description = "Asks nothing of the database: a host that cannot reach it is alive all the same.",
            Examples = [new("It runs", """{ "status": "live" }""")],
        },
        ["Ready"] = new(200, "It is ready.", ["NotReady"])
        {
            Examples = [new("It is ready", """{ "status": "ready", "dialer": "Fake" }""")],
        },
    };

    private const string Pending =
        """
        {
          "id": "019b7600-0000-7000-8000-0000000000a1", "organization_id": "019b0000-0000-7000-8000-000000000001", "direction": "OUTBOUND",
          "status": "PENDING", "outcome": null, "from": "+918047110000", "to": "+919900000001", "next_action_at": "2027-01-01T09:00:00Z",
          "retries": 0, "provider_call_id": null, "started_at": null, "answered_at": null, "ended_at": null, "duration_seconds": null,
          "recording_url": null, "metadata": { "customer": "C-1001" }, "connect": null, "revision": 1, "created_at": "2027-01-01T08:30:00.25Z",
          "updated_at": "2027-01-01T08:30:00.25Z"
        }
        """;

    private const string WithHistory =
        """
        {
          "id": "019b7600-0000-7000-8000-0000000000a1", "organization_id": "019b0000-0000-7000-8000-000000000001", "direction": "OUTBOUND",
          "status": "COMPLETED", "outcome": "completed", "from": "+918047110000", "to": "+919900000001", "next_action_at": null, "retries": 0,
          "provider_call_id": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "started_at": "2027-01-01T09:00:00.125Z", "answered_at": "2027-01-01T09:00:12Z",
          "ended_at": "2027-01-01T09:01:12Z", "duration_seconds": 60, "recording_url": "https://recordings.example.com/8c2f61d0.mp3",
          "metadata": { "customer": "C-1001" }, "connect": null, "revision": 5, "created_at": "2027-01-01T08:30:00.25Z", "updated_at": "2027-01-01T09:01:12.5Z",
          "history": [
            { "at": "2027-01-01T08:30:00.25Z", "event": "created", "source": "api", "attempt": 1, "status": "PENDING" },
            { "at": "2027-01-01T09:00:00.125Z", "event": "claimed", "source": "scheduler", "attempt": 1, "status": "IN_PROGRESS" },
            {
              "at": "2027-01-01T09:00:00.5Z", "event": "dial-accepted", "source": "scheduler", "attempt": 1, "status": "IN_PROGRESS",
              "details": { "claim": 1, "provider_call_id": "8c2f61d04be7439da5f0c3b2e1d7a9xk" }
            },
            {
              "at": "2027-01-01T09:00:12.5Z", "event": "answered", "source": "provider", "attempt": 1, "status": "IN_PROGRESS", "applied": true,
              "details": { "CallSid": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "EventType": "answered", "Status": "in-progress" }
            },
            {
              "at": "2027-01-01T09:01:12.5Z", "event": "completed", "source": "provider", "attempt": 1, "status": "COMPLETED", "applied": true,
              "details": { "CallSid": "8c2f61d04be7439da5f0c3b2e1d7a9xk", "EventType": "terminal", "Status": "completed" }
            }
          ],
          "history_dropped": 0
        }
        """;
}
