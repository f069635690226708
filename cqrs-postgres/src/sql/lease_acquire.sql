-- Gives the lease $1 to $2 until $4: when nobody has it, when it has come to its end at $3, or when it is his already.
INSERT INTO leases (name, holder, until)
VALUES ($1, $2, $4)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = $2 OR leases.until <= $3;
