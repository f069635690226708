-- Takes the lock that every append takes, until the transaction ends.
SELECT FROM log_head FOR UPDATE;
