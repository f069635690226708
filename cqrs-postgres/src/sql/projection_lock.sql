-- Waits for others who begin with projection $1, or replace it, until the transaction ends: there may be no row yet to
-- lock. Two who make the same tables at once would fail.
SELECT pg_advisory_xact_lock(hashtextextended('cqrs projection ' || current_schema() || ' ' || $1, 0));
