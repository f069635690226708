-- Takes the lease $1 from $2.
DELETE FROM leases WHERE name = $1 AND holder = $2;
