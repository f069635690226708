-- A new event type: its number, its category and its name.
INSERT INTO event_types (id, category, name) VALUES (?, ?, ?);
