-- Waits for another who rebuilds projection $2 of the schema $1; it is his, or ours, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('cqrs shadow ' || $1 || ' ' || $2, 0));
