-- As projection_checkpoint.sql; and until the transaction ends nobody else moves it. Whoever has moved it first is waited for.
SELECT position, version FROM projections WHERE name = $1 FOR UPDATE;
