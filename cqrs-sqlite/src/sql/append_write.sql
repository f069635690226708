-- Writes what a batch was judged to, and commits. Positions, versions and numbers are already given out.
-- Parameters, in order and without numbers: [id, name] of new streams, [id, category, name] of new event
-- types, events, receipts; JSON arrays.
--
-- jsonb_each hands the rows on in binary, where json_each would write and parse each one again for every column:
-- that doubles the speed of a big batch.
INSERT INTO streams (id, name)
SELECT value ->> 0, value ->> 1 FROM jsonb_each(?);

INSERT INTO event_types (id, category, name)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each(?);

INSERT INTO events
    (position, stream, version, type, recorded_at, id, data, causation, correlation, metadata)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, unhex(value ->> 5), value ->> 6,
       unhex(value ->> 7), unhex(value ->> 8), value ->> 9
FROM jsonb_each(?);

INSERT INTO receipts (command_id, position, events, versions)
SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each(?);

COMMIT;
