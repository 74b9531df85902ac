"""What is done with words alone: which writes match a query, and what to search for next."""
