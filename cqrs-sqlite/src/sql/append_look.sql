-- Takes the write lock, and looks up all that a batch is judged by.
-- Parameters, in order: names of streams, ids of commands in hex, pairs of category and event type; JSON
-- arrays. They have no numbers, because sqlx binds numbers with gaps wrongly in a text of several statements.
-- A row begins with what it is about: 0 the ends, 1 a stream, 2 a receipt, 3 an event type.
BEGIN IMMEDIATE;

SELECT 0,
       (SELECT coalesce(max(position), 0) FROM events),
       (SELECT coalesce(max(id), 0) FROM streams),
       (SELECT coalesce(max(id), 0) FROM event_types);

SELECT 1, wanted.key, streams.id,
       (SELECT coalesce(max(version), 0) FROM events WHERE stream = streams.id)
FROM json_each(?) AS wanted
CROSS JOIN streams ON streams.name = wanted.value;

SELECT 2, wanted.key, receipts.position, receipts.events, receipts.versions
FROM json_each(?) AS wanted
CROSS JOIN receipts ON receipts.command_id = unhex(wanted.value);

SELECT 3, wanted.key, event_types.id
FROM jsonb_each(?) AS wanted
CROSS JOIN event_types
    ON event_types.category = wanted.value ->> 0 AND event_types.name = wanted.value ->> 1;
