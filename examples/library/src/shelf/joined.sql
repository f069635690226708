-- ?1 member, ?2 name.
INSERT INTO members (member, name) VALUES (?1, ?2);
