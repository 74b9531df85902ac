"""What is known of the queue and its spaces, and what is told of it."""
