-- The numbers of the event types of categories $1 and names $2.
SELECT category, name, id
FROM event_types
WHERE (category, name) IN (SELECT * FROM unnest($1::text[], $2::text[]));
