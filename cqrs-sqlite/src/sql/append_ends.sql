-- The highest numbers of streams and of event types.
SELECT (SELECT coalesce(max(id), 0) FROM streams), (SELECT coalesce(max(id), 0) FROM event_types);
