"""What is done with words alone."""
