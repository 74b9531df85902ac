"""A clock for tests."""


class FakeClock:
    """UTC epoch seconds that move only when told to."""

    def __init__(self, start: float) -> None:
        self.at = start

    def now(self) -> float:
        """Where the clock stands."""
        return self.at

    def advance(self, seconds: float) -> float:
        """Move on by *seconds*; return where the clock stands then."""
        self.at += seconds
        return self.at
