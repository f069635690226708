-- Tells $2 to all who listen to the channel $1.
SELECT pg_notify($1, $2);
