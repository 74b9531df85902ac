"""What can be found out, free of charge, about what mem9 did with a batch.

All times are UTC epoch seconds of our own clock: whoever reads them from a server corrects them
by what its `Date` says.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the free list. `turns` are the messages it came from, where mem9 says so."""

    session_id: str | None
    updated_at: float
    text: int  #: what `fingerprint` makes of its content
    turns: frozenset[int]  #: the same of the messages it came from
    app_id: str | None = None  #: None where the server does not say, or it is the default app


@dataclass(frozen=True, slots=True)
class Process:
    """The server's process: when it began, by its own clock, exactly, and by ours, about.

    Two answers are of one process if the first is equal; the second is what a take compares with.
    """

    began: float
    began_at: float


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """Counters of the server's process: calls of its language model, and stores it was sent."""

    good: int
    failed: int
    stores: int

    @property
    def has_model(self) -> bool:
        """False where stores came and the model was never called: there is none."""
        return self.good + self.failed > 0 or self.stores == 0


def fingerprint(text: str) -> int:
    """A number that stands for *text*, white space around it apart; differs from run to run."""
    return hash(text.strip())
