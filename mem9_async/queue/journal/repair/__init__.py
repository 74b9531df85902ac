"""A damaged journal: what is wrong with it, and what can still be read."""
