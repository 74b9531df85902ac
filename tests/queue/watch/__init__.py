"""Tests of the watch over what mem9 has taken."""
