"""Searches, and the writes that mem9 may not show yet."""
