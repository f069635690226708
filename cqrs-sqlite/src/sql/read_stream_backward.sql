-- A page of a stream, backward. ?1 its name, ?2 the highest version wanted, ?3 the most events.
SELECT events.position, events.version, events.recorded_at, events.stream, events.type, events.id, events.data,
       events.causation, events.correlation, events.metadata
FROM streams
CROSS JOIN events ON events.stream = streams.id
WHERE streams.name = ?1 AND events.version <= ?2
ORDER BY events.version DESC
LIMIT ?3;
