-- Writes, in one call, a batch that was judged by what this process remembers of the file. Stopped by the fence
-- when the head is not where it was left: somebody else has written since.
-- Parameters, in order and without numbers: the head as it is remembered, events as a JSON array.
BEGIN IMMEDIATE;

INSERT INTO fence SELECT (SELECT coalesce(max(position), 0) FROM events) = ?;

INSERT INTO events
    (position, stream, version, type, recorded_at, id, data, causation, correlation, metadata)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, unhex(value ->> 5), value ->> 6,
       unhex(value ->> 7), unhex(value ->> 8), value ->> 9
FROM jsonb_each(?);

COMMIT;
