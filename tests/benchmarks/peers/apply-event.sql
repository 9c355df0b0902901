-- One event of the provider, applied in one statement: the product's own statement for a single event, kept here as it was when this benchmark was
-- written, since a service that was written by hand would not follow the product's later batching. Only what is no batching follows it: the revision and
-- the update time, which spare it the guard's function as they spare the product.
with found as (
    select id, 1 as preference from calls where organization_id = @organizationId and id = @callId
    union all
    select id, 2 from calls where organization_id = @organizationId and reverse(provider_call_id) = reverse(@providerCallId)
    union all
    select id, 3 from calls where organization_id = @organizationId and reverse(previous_provider_call_id) = reverse(@providerCallId)
    order by preference
    limit 1
),
target as materialized (
    select c.id, c.status, c.direction, c.retries, c.provider_call_id, c.previous_provider_call_id, c.started_at, c.answered_at, c.history
    from calls c
    where c.id = (select id from found)
    for no key update
),
placed as (
    select t.*, case
        when @attempt::integer is not null then @attempt
        when @providerCallId::text is null then t.retries + 1
        when @providerCallId = t.provider_call_id then t.retries + 1
        when @providerCallId = t.previous_provider_call_id then 1
        when t.retries = 0 then 1
        when t.status = 'IN_PROGRESS' and t.provider_call_id is null
            and not t.history @> jsonb_build_array(jsonb_build_object('details', jsonb_build_object('CallSid', @providerCallId::text)))
            then t.retries + 1
        else 1 end as attempt
    from target t
),
judged as (
    select p.*,
        p.attempt = p.retries + 1 as is_current,
        p.status = 'IN_PROGRESS' and p.attempt = p.retries + 1
            and ((@kind = 'Ended' and not (@fromApplet and p.direction = 'OUTBOUND'))
                or (@kind = 'Answered' and p.answered_at is null)) as applies
    from placed p
),
decided as (
    select j.*,
        j.applies and @kind = 'Answered' as answers,
        j.applies and @kind = 'Ended' and @outcome = 'no-answer' and j.direction = 'OUTBOUND' and j.retries = 0 as retries_once,
        j.applies and @kind = 'Ended' and not (@outcome = 'no-answer' and j.direction = 'OUTBOUND' and j.retries = 0) as completes,
        -- A call that comes in is told in several requests: each adds what it knows, also after the end.
        j.applies or (j.direction = 'INBOUND' and j.is_current) as adds,
        case when j.applies or (j.direction = 'INBOUND' and j.is_current) then coalesce(@startedAt, j.started_at) else j.started_at end as began_at,
        j.is_current and j.status <> 'PENDING' and j.provider_call_id is null and not exists (
            select 1 from calls o where o.organization_id = @organizationId and reverse(o.provider_call_id) = reverse(@providerCallId)) as names
    from judged j
)
update calls c
set status = case when d.completes then 'COMPLETED' when d.retries_once then 'PENDING' else c.status end,
    outcome = case when d.completes then @outcome else c.outcome end,
    retries = c.retries + d.retries_once::integer,
    next_action_at = case
        when d.completes then null
        when d.retries_once then now() + @retryDelay
        when d.answers then now() + @callTimeout
        else c.next_action_at end,
    provider_call_id = case when d.retries_once then null when d.names then @providerCallId else c.provider_call_id end,
    previous_provider_call_id = case when d.retries_once then coalesce(c.provider_call_id, @providerCallId) else c.previous_provider_call_id end,
    from_number = coalesce(c.from_number, case when d.adds then @from end),
    to_number = coalesce(c.to_number, case when d.adds then @to end),
    started_at = d.began_at,
    answered_at = case when d.answers then greatest(coalesce(@at, now()), d.began_at) else c.answered_at end,
    ended_at = case
        when d.completes or d.retries_once then greatest(coalesce(@endedAt, @at, now()), d.began_at)
        when d.adds and c.status = 'COMPLETED' then coalesce(@endedAt, c.ended_at)
        else c.ended_at end,
    duration_seconds = case when d.adds then coalesce(@durationSeconds, c.duration_seconds) else c.duration_seconds end,
    recording_url = case when d.adds then coalesce(@recordingUrl, c.recording_url) else c.recording_url end,
    history = c.history || call_history_entry(
        @word, 'provider', d.attempt,
        case when d.completes then 'COMPLETED' when d.retries_once then 'PENDING' else c.status end,
        @details::jsonb, d.applies),
    revision = c.revision + 1,
    updated_at = greatest(clock_timestamp(), c.updated_at)
from decided d
where c.id = d.id
returning c.id, c.status, c.next_action_at, d.applies as applied
