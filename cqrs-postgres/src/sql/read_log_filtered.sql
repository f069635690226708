-- A page of the log: the events after $1 and up to $2 that match, at most $3; and a row without a position that has the head,
-- as of the same moment. $4 categories, $5 event types, $6 names of streams; NULL for any.
--
-- Nothing is sorted, so that rows are on their way while others are still looked for.
(SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata, NULL::bigint AS head
 FROM events
 WHERE position > $1
   AND position <= $2
   AND ($4::text[] IS NULL OR type IN (SELECT event_types.id FROM event_types WHERE category = ANY ($4)))
   AND ($5::text[] IS NULL OR type IN (SELECT event_types.id FROM event_types WHERE name = ANY ($5)))
   AND ($6::text[] IS NULL OR stream IN (SELECT streams.id FROM streams WHERE name = ANY ($6)))
 ORDER BY position
 LIMIT $3)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, coalesce(max(position), 0)
FROM events;
