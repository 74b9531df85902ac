"""What mem9 has taken: whether it has it, and what to do where it has not. Pure."""
