-- How far projection $1 has worked, and in which version.
SELECT position, version FROM projections WHERE name = $1;
