-- ?1: a JSON array of [position, meter_id, value].
INSERT INTO readings (position, meter_id, value)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1);
