"""The embedded mem9 beside a real one: the same requests, and where the answers differ."""
