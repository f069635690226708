-- Which of the leases of the JSON array ?1 are held at ?2: their places in it, who has each, until when, by which open handle.
SELECT wanted.key, holder, until, opened
FROM json_each(?1) AS wanted CROSS JOIN leases ON leases.name = wanted.value
WHERE until > ?2;
