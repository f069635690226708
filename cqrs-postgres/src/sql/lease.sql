-- Who has the lease $1, and until when.
SELECT holder, until FROM leases WHERE name = $1;
