"""What a tool answers: JSON, variables and text."""
