-- How far an event handler has come. $1 its name.
SELECT revision, read_to, watermarks FROM handlers WHERE name = $1;
