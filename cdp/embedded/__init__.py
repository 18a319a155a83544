"""What `make run` brings along on a machine with nothing: PostgreSQL, secrets, demo credentials."""
