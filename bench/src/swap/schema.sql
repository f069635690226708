CREATE TABLE IF NOT EXISTS readings (
    position INTEGER PRIMARY KEY,
    meter_id INTEGER NOT NULL,
    value    INTEGER NOT NULL
);
