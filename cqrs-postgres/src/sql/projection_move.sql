-- Moves the checkpoint of projection $1 from $2 in version $3 to $4 in version $5. Changes nothing when it is elsewhere.
UPDATE projections SET position = $4, version = $5 WHERE name = $1 AND position = $2 AND version = $3;
