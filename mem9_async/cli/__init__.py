"""The command line: python -m mem9_async."""
