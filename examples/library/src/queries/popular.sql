-- The ?1 books that are lent most. `lendings` is another projection's: it may be a moment ahead of `books`, or behind. So a
-- book that it does not have yet counts as never lent, and one that only it has is not shown.
SELECT books.title, books.author, coalesce(lendings.times, 0) AS times, loans.book IS NULL AS here
FROM books
LEFT JOIN lendings USING (book)
LEFT JOIN loans USING (book)
ORDER BY times DESC, books.title
LIMIT ?1;
