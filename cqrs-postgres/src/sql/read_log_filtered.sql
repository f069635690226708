-- A page of the log: the events after $1 and up to $2 that match, at most $3; and a row without a position that has the head,
-- as of the same moment. $4 categories, $5 event types, $6 names of streams; whoever wants any leaves the line out.
--
-- Without IS TRUE, the planner would make a join of each set of numbers, and look every event's number up.
-- Nothing is sorted, so that rows are on their way while others are still looked for.
(SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata, NULL::bigint AS head
 FROM events
 WHERE position > $1
   AND position <= $2
   AND (type IN (SELECT event_types.id FROM event_types WHERE category = ANY ($4::text[]))) IS TRUE
   AND (type IN (SELECT event_types.id FROM event_types WHERE name = ANY ($5::text[]))) IS TRUE
   AND (stream IN (SELECT streams.id FROM streams WHERE name = ANY ($6::text[]))) IS TRUE
 ORDER BY position
 LIMIT $3)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, coalesce(max(position), 0)
FROM events;
