-- Who has the lease ?1, until when, by which open handle.
SELECT holder, until, opened FROM leases WHERE name = ?1;
