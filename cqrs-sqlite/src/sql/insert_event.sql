-- An event; what can be derived is NULL.
INSERT INTO events
    (position, stream, version, type, recorded_at, id, data, causation, correlation, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
