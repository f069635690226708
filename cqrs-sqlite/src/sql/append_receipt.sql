-- The first outcome of command ?1.
SELECT position, events, versions FROM receipts WHERE command_id = ?1;
