-- First outcomes of commands. ?1 their ids in hex, a JSON array.
SELECT wanted.key, receipts.position, receipts.events, receipts.versions
FROM json_each(?1) AS wanted
CROSS JOIN receipts ON receipts.command_id = unhex(wanted.value);
