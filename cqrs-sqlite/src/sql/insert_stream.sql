-- A new stream: its number and its name.
INSERT INTO streams (id, name) VALUES (?, ?);
