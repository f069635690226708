-- Writes a batch behind position $1 where nobody else has written since: as append_batch does, and under the same lock, but
-- nothing is looked at but whether there is that position. Whoever has written meanwhile has a position of the batch, so that a
-- unique index refuses it.
WITH head AS MATERIALIZED (
         SELECT only_one FROM log_head WHERE EXISTS (SELECT FROM events WHERE position = $1) FOR UPDATE
     ),
     receipt AS (
         INSERT INTO receipts (command_id, position, events, versions)
         SELECT receipt.command_id, $1 + receipt.position, receipt.events, receipt.versions::bigint[]
         FROM head, unnest($11::uuid[], $12::bigint[], $13::bigint[], $14::text[])
                    AS receipt (command_id, position, events, versions)
     )
INSERT INTO events (position, stream, version, recorded_at, type, id, data, causation, correlation, metadata)
SELECT $1 + event.number, event.stream, event.version, event.recorded_at, event.type, event.id, event.data, event.causation,
       event.correlation, event.metadata
FROM head, unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::uuid[], $7::text[], $8::bytea[], $9::bytea[],
                  $10::text[])
     WITH ORDINALITY AS event (stream, version, recorded_at, type, id, data, causation, correlation, metadata, number);
