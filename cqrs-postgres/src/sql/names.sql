-- The names of the streams $1 and of the event types $2, which are of kind 0 and 1.
SELECT 0 AS kind, id, name FROM streams WHERE id = ANY ($1)
UNION ALL
SELECT 1, id::bigint, name FROM event_types WHERE id = ANY ($2);
