-- Gives the lease ?1 to ?2 until ?4, by the open handle ?5: when nobody has it, when it has come to its end at ?3, when
-- it is his already, or when it was taken by the handle ?6, which is open no more.
INSERT INTO leases (name, holder, until, opened)
VALUES (?1, ?2, ?4, ?5)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, until = excluded.until, opened = excluded.opened
WHERE holder = ?2 OR until <= ?3 OR opened = ?6;
