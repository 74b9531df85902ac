"""What the mem9 of a space is known to have: free questions, and what their answers prove."""
