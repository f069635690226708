-- How far a projection has worked, and in which version. ?1 its name.
SELECT position, version FROM projections WHERE name = ?1;
