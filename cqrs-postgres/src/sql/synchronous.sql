-- Makes commits durable where the server's default is otherwise; for the session.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
