-- The events of the attached file `ours`, in their order. An id is one of ours as text; what our rows leave out because
-- it can be derived is written out.
INSERT INTO main.events (position, id, stream, version, type, data, metadata, recorded_at)
SELECT events.position,
       uuid.text,
       streams.name,
       events.version,
       event_types.name,
       events.data,
       json_object('causation_id', uuid.text, 'correlation_id', uuid.text),
       strftime('%Y-%m-%dT%H:%M:%fZ', events.recorded_at / 1e6, 'unixepoch')
FROM ours.events AS events
JOIN ours.streams AS streams ON streams.id = events.stream
JOIN ours.event_types AS event_types ON event_types.id = events.type
JOIN (
    SELECT position,
           substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-' || substr(hex, 13, 4) || '-'
               || substr(hex, 17, 4) || '-' || substr(hex, 21) AS text
    FROM (SELECT position, lower(hex(id)) AS hex FROM ours.events)
) AS uuid ON uuid.position = events.position
ORDER BY events.position;
