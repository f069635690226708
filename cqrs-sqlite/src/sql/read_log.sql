-- A page of the log: the events after ?1 and up to ?2 that match, at most ?3.
-- ?4 categories, ?5 event types, ?6 names of streams; JSON arrays, NULL for any.
SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata
FROM events
WHERE position > ?1
  AND position <= ?2
  AND (?4 IS NULL
       OR type IN (SELECT id FROM event_types WHERE category IN (SELECT value FROM json_each(?4))))
  AND (?5 IS NULL
       OR type IN (SELECT id FROM event_types WHERE name IN (SELECT value FROM json_each(?5))))
  AND (?6 IS NULL
       OR stream IN (SELECT id FROM streams WHERE name IN (SELECT value FROM json_each(?6))))
ORDER BY position
LIMIT ?3;
