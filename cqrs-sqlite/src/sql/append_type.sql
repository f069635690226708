-- The number of the event type of category ?1 and name ?2.
SELECT id FROM event_types WHERE category = ?1 AND name = ?2;
