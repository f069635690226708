-- Waits for the steps of the process manager $1 that move its checkpoint or ask for deadlines, and lets none begin before this
-- transaction ends. What comes after it sees all deadlines that they have asked for.
SELECT FROM process_checkpoints WHERE process = $1 FOR UPDATE;
