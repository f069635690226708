-- Gives numbers to the event types of categories $1 and names $2 that have none; in one order, so that two who do it at
-- once wait for each other in turn.
INSERT INTO event_types (category, name)
SELECT wanted.category, wanted.name
FROM unnest($1::text[], $2::text[]) AS wanted (category, name)
WHERE NOT EXISTS (
    SELECT FROM event_types AS known WHERE known.category = wanted.category AND known.name = wanted.name)
ORDER BY wanted.category, wanted.name
ON CONFLICT (category, name) DO NOTHING;
