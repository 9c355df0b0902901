-- The same numbers as before. A bounded repetition is expanded into as many states, which each change of a call paid for twice.
alter table calls
    drop constraint calls_outbound_numbers,
    add constraint calls_outbound_numbers check (
        direction = 'INBOUND'
        or (from_number is not null and octet_length(from_number) between 8 and 16 and from_number ~ '^\+[1-9][0-9]*$'
            and to_number is not null and octet_length(to_number) between 8 and 16 and to_number ~ '^\+[1-9][0-9]*$'));
