"""The plugin on a real plugin daemon: `make host DAEMON=... CLI=...`."""
