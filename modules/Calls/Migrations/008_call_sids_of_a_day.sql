-- The last four characters of Exotel's CallSids are their day (187v: 18 is 24 in hexadecimal, for 2024; July; and v the 31st). That is documented nowhere and
-- nothing depends on it, but those of 2022 to 2025 have it: read backwards, the CallSids of a day lie together in the index. As they stand, each dial
-- falls on a page of its own among those of all calls that ever were, and PostgreSQL logs a page whole at its first change after a checkpoint.
drop index calls_by_provider_call_id;
create unique index calls_by_provider_call_id on calls (organization_id, reverse(provider_call_id)) where provider_call_id is not null;
drop index calls_by_previous_provider_call_id;
create index calls_by_previous_provider_call_id on calls (organization_id, reverse(previous_provider_call_id)) where previous_provider_call_id is not null;
