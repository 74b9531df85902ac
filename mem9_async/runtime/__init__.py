"""Builds and owns the parts that outlive a call."""
