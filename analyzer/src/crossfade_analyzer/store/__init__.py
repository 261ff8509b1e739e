"""The evidence store: append-only, SQLite or PostgreSQL."""
