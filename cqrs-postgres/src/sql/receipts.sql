-- First outcomes of the commands $1, with their places in it.
SELECT wanted.key, receipts.position, receipts.events, receipts.versions
FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, key)
JOIN receipts ON receipts.command_id = wanted.id;
