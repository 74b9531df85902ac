"""The tests; a package, so that `python -m tests.chaos` and the tests share their support."""
