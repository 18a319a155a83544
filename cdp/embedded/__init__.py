"""What `make run` brings along on a machine with nothing: PostgreSQL, secrets, the supervisor, demo credentials."""
