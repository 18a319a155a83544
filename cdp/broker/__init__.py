"""The broker that needs no server of its own: pgmq on the same PostgreSQL, in development and in production."""
