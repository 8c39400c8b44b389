"""Django's PostgreSQL backend, which starts the embedded server when its first connection needs it."""
