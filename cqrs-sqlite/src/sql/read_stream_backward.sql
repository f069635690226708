-- A page of a stream, backward. ?1 its name, ?2 the highest version wanted, ?3 the most events.
SELECT events.position, events.version, events.recorded_at, events.stream, streams.name, events.type,
       event_types.name, events.id, events.data, events.causation, events.correlation, events.metadata
FROM streams
CROSS JOIN events ON events.stream = streams.id
LEFT JOIN event_types ON event_types.id = events.type
WHERE streams.name = ?1 AND events.version <= ?2
ORDER BY events.version DESC
LIMIT ?3;
