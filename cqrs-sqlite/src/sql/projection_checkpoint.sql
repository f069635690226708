-- How far a projection has worked. ?1 its name.
SELECT position FROM projections WHERE name = ?1;
