"""The client against a mocked aiohttp, and against raw sockets where the connection is at fault."""
