-- Writes a batch of one event as append_alone.sql does; $11 is NULL where its command wants no receipt. Values cost less as
-- parameters than columns of one value.
WITH head AS MATERIALIZED (
         SELECT FROM log_head WHERE EXISTS (SELECT FROM events WHERE position = $1) FOR UPDATE
     ),
     receipt AS (
         INSERT INTO receipts (command_id, position, events, versions)
         SELECT $11::uuid, $1 + $12::bigint, $13::bigint, $14::text::bigint[]
         FROM head
         WHERE $11 IS NOT NULL
     )
INSERT INTO events (position, stream, version, recorded_at, type, id, data, causation, correlation, metadata)
SELECT $1::bigint + 1, $2::bigint, $3::bigint, $4::bigint, $5::integer, $6::uuid, $7::text, $8::bytea, $9::bytea, $10::text
FROM head;
