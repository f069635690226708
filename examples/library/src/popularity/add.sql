-- ?1 is a JSON object: book -> how often it was lent.
INSERT INTO lendings (book, times) SELECT key, value FROM json_each(?1) WHERE true
ON CONFLICT (book) DO UPDATE SET times = times + excluded.times;
