-- Number and version of the stream ?1.
SELECT id, (SELECT coalesce(max(version), 0) FROM events WHERE stream = streams.id)
FROM streams
WHERE name = ?1;
