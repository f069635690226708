-- Whether a batch is in the file whose commit failed.
-- ?1 its first position or NULL, ?2 the id of the event there, ?3 one of its receipts or NULL.
SELECT CASE WHEN ?1 IS NULL
            THEN EXISTS (SELECT 1 FROM receipts WHERE command_id = ?3)
            ELSE EXISTS (SELECT 1 FROM events WHERE position = ?1 AND id = ?2) END;
