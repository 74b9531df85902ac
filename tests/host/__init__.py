"""The real plugin process, driven over its pipes as the daemon does."""
