"""`python -m tests.chaos`: every fault we can make, at length, and a table of what it came to."""
