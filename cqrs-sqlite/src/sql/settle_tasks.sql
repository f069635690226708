-- What became of attempts. ?1 [id, state, attempts, retry_at, error, position] of each task, each id once;
-- ?2 now. A task that is no longer pending is left as it is.
BEGIN IMMEDIATE;

UPDATE outbox
SET state      = outcome.value ->> 1,
    attempts   = attempts + (outcome.value ->> 2),
    retry_at   = coalesce(outcome.value ->> 3, retry_at),
    last_error = coalesce(outcome.value ->> 4, last_error),
    position   = outcome.value ->> 5,
    done_at    = CASE WHEN outcome.value ->> 1 = 1 THEN ?2 END
FROM jsonb_each(?1) AS outcome
WHERE outbox.id = unhex(outcome.value ->> 0) AND outbox.state = 0;

COMMIT;
