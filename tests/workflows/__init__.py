"""Workflows of Dify's own engine against the plugin: `make workflows`."""
