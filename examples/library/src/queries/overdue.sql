-- What is overdue on day ?1. All three tables belong to one projection, so a loan has its book. The member may be somebody
-- whom the desk has let in before he joined: then his id has to do.
SELECT books.title, coalesce(members.name, loans.member) AS reader, ?1 - loans.due AS days
FROM loans
JOIN books USING (book)
LEFT JOIN members USING (member)
WHERE loans.due < ?1
ORDER BY loans.due, books.title;
