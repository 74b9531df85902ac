"""What a tool was asked, read and checked."""
