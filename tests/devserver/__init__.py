"""The embedded mem9 over real HTTP on loopback."""
