-- ?1 book, ?2 title, ?3 author.
INSERT INTO books (book, title, author) VALUES (?1, ?2, ?3);
