"""A mem9-compatible server on SQLite, for trying things out and for tests."""
