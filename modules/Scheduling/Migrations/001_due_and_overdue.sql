-- What is due next, in the order in which it is claimed: any other order would sort the whole backlog at every claim.
create index calls_due on calls (next_action_at, id) where status = 'PENDING';

-- What the watchdog ends next. A row is in at most one of the two, so a change of status costs one entry.
create index calls_overdue on calls (next_action_at, id) where status = 'IN_PROGRESS';
