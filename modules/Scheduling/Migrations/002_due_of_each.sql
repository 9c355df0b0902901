-- Whose turn it is in a backlog: the first due call of each organization, without the others' calls in between.
create index calls_due_of_each on calls (organization_id, next_action_at, id) where status = 'PENDING';
