-- The name of event type ?1.
SELECT name FROM event_types WHERE id = ?1;
