-- A step of an event handler. Stopped by the fence when its revision does not follow the one that is there.
-- Parameters, in order and without numbers: handler, new revision; handler, new revision, read_to, watermarks; handler,
-- what is parked as a JSON array; handler, what is released as a JSON array of [position, part].
-- The fence asks the table and comes first: nothing that a trigger of somebody else does can be taken for the answer.
BEGIN IMMEDIATE;

INSERT INTO fence SELECT coalesce((SELECT revision FROM handlers WHERE name = ?), 0) + 1 = ?;

INSERT INTO handlers (name, revision, read_to, watermarks) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET revision = excluded.revision, read_to = excluded.read_to, watermarks = excluded.watermarks;

-- What counts no attempts is new, or is left as it is; and what is to be dropped stays so.
INSERT INTO parked_events (handler, position, part, event, key, attempts, last_error, at, state)
SELECT ?, value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
       value ->> 7
FROM jsonb_each(?) WHERE true
ON CONFLICT (handler, position, part) DO UPDATE
SET event = excluded.event, key = excluded.key, attempts = excluded.attempts,
    last_error = excluded.last_error, at = excluded.at, state = excluded.state
WHERE excluded.attempts > 0 AND parked_events.state <> 3;

DELETE FROM parked_events
WHERE handler = ? AND (position, part) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each(?));

COMMIT;
