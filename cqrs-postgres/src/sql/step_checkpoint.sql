-- How far a process manager has worked. $1 its name.
SELECT position FROM process_checkpoints WHERE process = $1;
