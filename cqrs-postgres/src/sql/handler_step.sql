-- A step of an event handler, if its revision follows the one that is there: then the answer is 1, otherwise 0, and nothing
-- is changed. $1 handler, $2 the new revision, $3 read_to, $4 watermarks; $5 to $12 what is parked, column by column; $13
-- and $14 position and part of what is released.
WITH step AS (
    INSERT INTO handlers (name, revision, read_to, watermarks)
    SELECT $1, $2, $3, $4 WHERE $2 = 1 OR EXISTS (SELECT FROM handlers WHERE name = $1)
    ON CONFLICT (name) DO UPDATE
    SET revision = excluded.revision, read_to = excluded.read_to, watermarks = excluded.watermarks
    WHERE handlers.revision + 1 = $2
    RETURNING 1
),
-- What counts no attempts is new, or is left as it is; and what is to be dropped stays so. A row is changed once, so
-- what is parked and released in one step is not parked at all.
parked AS (
    INSERT INTO parked_events (handler, position, part, event, key, attempts, last_error, at, state)
    SELECT $1, new.position, new.part, new.event, new.key, new.attempts, new.last_error, new.at, new.state
    FROM unnest($5::bigint[], $6::bigint[], $7::uuid[], $8::text[], $9::bigint[], $10::text[], $11::bigint[],
                $12::smallint[]) AS new (position, part, event, key, attempts, last_error, at, state)
    WHERE EXISTS (SELECT FROM step)
      AND NOT EXISTS (
          SELECT FROM unnest($13::bigint[], $14::bigint[]) AS gone (position, part)
          WHERE gone.position = new.position AND gone.part = new.part)
    ON CONFLICT (handler, position, part) DO UPDATE
    SET event = excluded.event, key = excluded.key, attempts = excluded.attempts,
        last_error = excluded.last_error, at = excluded.at, state = excluded.state
    WHERE excluded.attempts > 0 AND parked_events.state <> 3
),
released AS (
    DELETE FROM parked_events
    USING unnest($13::bigint[], $14::bigint[]) AS gone (position, part)
    WHERE parked_events.handler = $1
      AND parked_events.position = gone.position
      AND parked_events.part = gone.part
      AND EXISTS (SELECT FROM step)
)
SELECT count(*) FROM step;
