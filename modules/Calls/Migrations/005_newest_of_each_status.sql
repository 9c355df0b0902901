-- The list in one index for each status instead of one for all: a row is in one of them as before, so a change costs no more, and a list of the few
-- calls with one status goes past nothing. What they include is what a summary counts by, so that it reads no rows for it.
create index calls_newest_pending on calls (organization_id, created_at desc, id desc) include (next_action_at, retries) where status = 'PENDING';
create index calls_newest_in_progress on calls (organization_id, created_at desc, id desc) where status = 'IN_PROGRESS';
create index calls_newest_completed on calls (organization_id, created_at desc, id desc) include (outcome) where status = 'COMPLETED';
drop index calls_newest_first;

-- The calls to one number, for whoever is asked about them. Those under way are few, and an index of them would cost each dial an entry.
create index calls_to_number_pending on calls (organization_id, to_number, created_at desc, id desc) where status = 'PENDING';
create index calls_to_number_completed on calls (organization_id, to_number, created_at desc, id desc) where status = 'COMPLETED';

-- Inbound calls that wait are never due; a list of inbound calls would go past all the outbound ones that are.
create index calls_newest_never_due on calls (organization_id, created_at desc, id desc) where status = 'PENDING' and next_action_at is null;
