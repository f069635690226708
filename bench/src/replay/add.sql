-- Adds to totals. ?1: a JSON array of [meter_id, what is added].
INSERT INTO totals (meter_id, total)
SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
ON CONFLICT (meter_id) DO UPDATE SET total = total + excluded.total;
