-- Which of the leases of the array $1 are held at $2: their places in it, from 1, and who has each.
SELECT wanted.place, leases.holder
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place) JOIN leases USING (name)
WHERE leases.until > $2;
