-- The guard of 002, word for word but for how it sees that the history has only grown: the two texts were a fifth of what an update costs.
create or replace function guard_call_update() returns trigger language plpgsql as $$
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

    -- Nearly always nothing or one entry is added. Else compared as text, in which jsonb writes equal entries equally: all that was there is the
    -- beginning of what is there now.
    if new.history <> old.history and new.history - -1 <> old.history
        and not starts_with(new.history::text, left(old.history::text, -1)) then
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
