-- Makes commits durable where the server's default is otherwise; for the transaction.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
