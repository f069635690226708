-- What a command came to; the versions are a JSON array.
INSERT INTO receipts (command_id, position, events, versions) VALUES (?, ?, ?, ?);
