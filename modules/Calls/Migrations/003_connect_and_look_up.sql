-- What a customer who answers is connected with, where a call wants something else than the host's settings say.
alter table calls add column connect jsonb;
alter table calls add constraint calls_connect check (connect is null or (direction = 'OUTBOUND' and jsonb_typeof(connect) = 'object'));

-- How often the watchdog asked the provider about the present attempt: it asks a few times and then gives up.
alter table calls add column look_ups integer not null default 0;
alter table calls add constraint calls_look_ups check (look_ups >= 0);

-- Calls whose CallSid was lost: where there are two to one number, a call in the provider's list may be either. Few rows ever enter it.
create index calls_by_lost_number on calls (organization_id, to_number) where look_ups > 0 and provider_call_id is null;
