-- A call is one row and its whole life is in that row. Every module writes it with its own statements; the CHECKs here and
-- the guard in 002 are what keeps that safe, also from a person in psql.

create table organizations (
    id uuid primary key,
    name text not null,
    phone_number text not null,
    -- SHA-256 of random 256-bit secrets: nothing to guess, so nothing to salt.
    api_key_hash bytea not null,
    webhook_token_hash bytea not null,
    -- Signs the callback URLs that we give the provider. An HMAC needs the secret itself, so it cannot be a hash.
    callback_secret bytea not null,
    created_at timestamptz not null default now(),
    constraint organizations_name check (char_length(name) between 1 and 200),
    constraint organizations_phone_number check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    constraint organizations_api_key_hash check (octet_length(api_key_hash) = 32),
    constraint organizations_webhook_token_hash check (octet_length(webhook_token_hash) = 32),
    constraint organizations_callback_secret check (octet_length(callback_secret) = 32)
);

create unique index organizations_by_api_key_hash on organizations (api_key_hash);
create unique index organizations_by_webhook_token_hash on organizations (webhook_token_hash);

create table calls (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    direction text not null,
    status text not null,
    outcome text,
    -- Null only on an inbound call whose caller the provider has not named yet.
    from_number text,
    to_number text,
    next_action_at timestamptz,
    retries integer not null default 0,
    -- Of the current attempt; the first attempt's moves to the column after it when the retry is scheduled, so that its late
    -- callbacks still find their call.
    provider_call_id text,
    previous_provider_call_id text,
    started_at timestamptz,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_seconds integer,
    recording_url text,
    -- json, not jsonb: the client gets back what it gave, to the byte.
    metadata json,
    history jsonb not null default '[]',
    history_dropped integer not null default 0,
    -- How often the call went from PENDING to IN_PROGRESS, kept by the guard. It names one claim: whoever writes down what
    -- became of a dial names the claim it belongs to, and a stale writer touches nothing.
    claims integer not null default 0,
    -- Of the statement that claimed it last: a host whose connection broke during a claim finds by it what it had claimed, unknowing.
    claim_id uuid,
    idempotency_key text,
    idempotency_hash bytea,
    revision integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),

    constraint calls_direction check (direction in ('INBOUND', 'OUTBOUND')),
    constraint calls_status check (status in ('PENDING', 'IN_PROGRESS', 'COMPLETED')),
    constraint calls_outcome check (outcome in ('completed', 'no-answer', 'busy', 'failed', 'canceled', 'unknown')),
    constraint calls_outcome_if_completed check ((status = 'COMPLETED') = (outcome is not null)),
    constraint calls_waits_never_without_end check (status <> 'IN_PROGRESS' or next_action_at is not null),
    constraint calls_nothing_after_completed check (status <> 'COMPLETED' or next_action_at is null),
    constraint calls_inbound_is_never_dialled check (direction = 'OUTBOUND' or status <> 'PENDING' or next_action_at is null),
    constraint calls_retries check (retries between 0 and case direction when 'OUTBOUND' then 1 else 0 end),
    constraint calls_pending_is_not_at_the_provider check (status <> 'PENDING' or provider_call_id is null),
    constraint calls_outbound_numbers check (
        direction = 'INBOUND'
        or (from_number is not null and from_number ~ '^\+[1-9][0-9]{6,14}$' and to_number is not null and to_number ~ '^\+[1-9][0-9]{6,14}$')),
    constraint calls_numbers_length check (char_length(from_number) <= 128 and char_length(to_number) <= 128),
    constraint calls_provider_call_id check (char_length(provider_call_id) between 1 and 128),
    constraint calls_duration_seconds check (duration_seconds >= 0),
    constraint calls_metadata check (json_typeof(metadata) = 'object' and octet_length(metadata::text) <= 8192),
    constraint calls_history check (jsonb_typeof(history) = 'array'),
    constraint calls_idempotency check (
        (idempotency_key is null) = (idempotency_hash is null) and char_length(idempotency_key) between 1 and 255)
) with (fillfactor = 85);

-- One CallSid is one call of an organization. Partial: a plain unique index made a claim wait behind open foreign-key inserts.
create unique index calls_by_provider_call_id on calls (organization_id, provider_call_id) where provider_call_id is not null;
create index calls_by_previous_provider_call_id on calls (organization_id, previous_provider_call_id) where previous_provider_call_id is not null;
create unique index calls_by_idempotency_key on calls (organization_id, idempotency_key) where idempotency_key is not null;
create index calls_newest_first on calls (organization_id, created_at desc, id desc);
