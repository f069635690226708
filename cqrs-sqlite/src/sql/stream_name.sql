-- The name of stream ?1.
SELECT name FROM streams WHERE id = ?1;
