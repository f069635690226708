-- ?1 book, ?2 member, ?3 the day on which it is due.
INSERT INTO loans (book, member, due) VALUES (?1, ?2, ?3);
