-- What became of attempts, at $7. $1 to $6 id, state, attempts, retry_at, error and position of each task, each id once. A
-- task that is no longer pending is left as it is.
UPDATE outbox
SET state      = outcome.state,
    attempts   = outbox.attempts + outcome.attempts,
    retry_at   = coalesce(outcome.retry_at, outbox.retry_at),
    last_error = coalesce(outcome.error, outbox.last_error),
    position   = outcome.position,
    done_at    = CASE WHEN outcome.state = 1 THEN $7::bigint END
FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
     AS outcome (id, state, attempts, retry_at, error, position)
WHERE outbox.id = outcome.id AND outbox.state = 0;
