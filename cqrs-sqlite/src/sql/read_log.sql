-- A page of the log: the head first, then the events after ?1 and up to ?2 that match, at most ?3.
-- ?4 categories, ?5 event types, ?6 names of streams; JSON arrays, NULL for any.
-- The events are looked at after the head, so every one at or below the head is there to be seen.
SELECT coalesce(max(position), 0) FROM events;

SELECT events.position, events.version, events.recorded_at, events.stream, streams.name, events.type,
       event_types.name, events.id, events.data, events.causation, events.correlation, events.metadata
FROM events
LEFT JOIN streams ON streams.id = events.stream
LEFT JOIN event_types ON event_types.id = events.type
WHERE events.position > ?1
  AND events.position <= ?2
  AND (?4 IS NULL
       OR events.type IN (SELECT id FROM event_types WHERE category IN (SELECT value FROM json_each(?4))))
  AND (?5 IS NULL
       OR events.type IN (SELECT id FROM event_types WHERE name IN (SELECT value FROM json_each(?5))))
  AND (?6 IS NULL
       OR events.stream IN (SELECT id FROM streams WHERE name IN (SELECT value FROM json_each(?6))))
ORDER BY events.position
LIMIT ?3;
