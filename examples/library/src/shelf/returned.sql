-- ?1 book.
DELETE FROM loans WHERE book = ?1;
