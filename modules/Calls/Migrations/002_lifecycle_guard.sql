-- The lifecycle, enforced for whoever writes. modules/Calls/CallLifecycle.cs says the same rules for good error messages;
-- a test walks every pair of states and shows that the two agree.

-- One entry of a call's history. clock_timestamp(), not now(): a statement may have waited for the row.
create function call_history_entry(
    event text, source text, attempt integer, status text, details jsonb default null, applied boolean default null)
returns jsonb language sql volatile as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'event', event,
        'source', source,
        'attempt', attempt,
        'status', status,
        'applied', applied,
        'details', details))
$$;

create function guard_call_insert() returns trigger language plpgsql as $$
begin
    if not (new.status = 'PENDING' or (new.status = 'IN_PROGRESS' and new.direction = 'INBOUND')) or new.retries <> 0 then
        raise exception 'a new % call cannot be % with % retries', new.direction, new.status, new.retries
            using errcode = 'check_violation', table = 'calls', constraint = 'calls_lifecycle';
    end if;
    new.revision := 1;
    new.claims := 0;
    new.history_dropped := 0;
    new.updated_at := new.created_at;
    return new;
end
$$;

create function guard_call_update() returns trigger language plpgsql as $$
declare
    history_limit constant integer := 64;
    entries integer := jsonb_array_length(new.history);
    legal boolean;
begin
    if (new.id, new.organization_id, new.direction, new.created_at)
        is distinct from (old.id, old.organization_id, old.direction, old.created_at) then
        raise exception 'id, organization_id, direction and created_at of a call never change'
            using errcode = 'check_violation', table = 'calls', constraint = 'calls_identity';
    end if;

    legal := case
        when old.status = new.status then
            new.retries = old.retries and new.outcome is not distinct from old.outcome
        when old.status = 'PENDING' and new.status = 'IN_PROGRESS' then
            new.retries = old.retries
        when old.status = 'PENDING' and new.status = 'COMPLETED' then
            new.retries = old.retries and new.outcome = 'canceled'
        when old.status = 'IN_PROGRESS' and new.status = 'COMPLETED' then
            new.retries = old.retries
        -- Back to PENDING for the one retry; or in the same attempt, when nothing shows that the provider ever had the call.
        when old.status = 'IN_PROGRESS' and new.status = 'PENDING' then
            old.direction = 'OUTBOUND'
            and (new.retries = old.retries + 1
                or (new.retries = old.retries and old.provider_call_id is null and old.answered_at is null))
        else false
    end;
    if legal is not true then
        raise exception 'a call cannot go from % (% retries) to % (% retries, outcome %)',
            old.status, old.retries, new.status, new.retries, coalesce(new.outcome, 'none')
            using errcode = 'check_violation', table = 'calls', constraint = 'calls_lifecycle';
    end if;

    -- Compared as text, in which jsonb writes equal entries equally: all that was there is the beginning of what is there now.
    if not starts_with(new.history::text, left(old.history::text, -1)) then
        raise exception 'the history of a call is only added to'
            using errcode = 'check_violation', table = 'calls', constraint = 'calls_history_only_grows';
    end if;
    -- A person in psql changes the status and writes no history: the change is told all the same.
    if new.status <> old.status and new.history = old.history then
        new.history := new.history || call_history_entry('status-changed', 'database', new.retries + 1, new.status);
        entries := entries + 1;
    end if;
    new.history_dropped := old.history_dropped;
    if entries > history_limit then
        new.history_dropped := old.history_dropped + entries - history_limit;
        new.history := (
            select jsonb_agg(entry order by number)
            from jsonb_array_elements(new.history) with ordinality as kept (entry, number)
            where number <= history_limit);
    end if;

    new.claims := old.claims + case when old.status = 'PENDING' and new.status = 'IN_PROGRESS' then 1 else 0 end;
    new.revision := old.revision + 1;
    new.updated_at := greatest(clock_timestamp(), old.updated_at);
    return new;
end
$$;

create trigger guard_insert before insert on calls for each row execute function guard_call_insert();
create trigger guard_update before update on calls for each row execute function guard_call_update();
