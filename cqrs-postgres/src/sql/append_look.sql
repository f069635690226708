-- What a batch is judged by, as of one moment: the end of the log, then the streams $1, then the receipts of the commands $2.
SELECT 0 AS kind, 0::bigint AS key, coalesce(max(position), 0) AS a, 0::bigint AS b, NULL::bigint[] AS c
FROM events
UNION ALL
SELECT 1, wanted.key, streams.id,
       (SELECT version FROM events WHERE stream = streams.id ORDER BY version DESC LIMIT 1), NULL
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, key)
JOIN streams ON streams.name = wanted.name
UNION ALL
SELECT 2, wanted.key, receipts.position, receipts.events, receipts.versions
FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (id, key)
JOIN receipts ON receipts.command_id = wanted.id;
