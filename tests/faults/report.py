"""The oracle's verdict, as named counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What became of one run's contents. Counts of contents unless said otherwise.

    `missing` were acknowledged and never arrived. `unknown` arrived and nobody minted them;
    `corrupted` are almost one of ours. `duplicates` are arrivals beyond the first.
    `inversions` arrived first after a later one of their lane. `mixed` counts requests that
    held two lanes, `misaddressed` contents under another's key or session, `altered` retries
    that changed a byte, `rebatched` contents sent in two different bodies.
    `unacknowledged` arrived although their caller never got an answer, which is allowed.
    Delivery times run from the caller's answer to the first arrival, in seconds.
    """

    run: str
    minted: int
    acknowledged: int
    delivered: int
    missing: int
    unknown: int
    corrupted: int
    duplicates: int
    inversions: int
    mixed: int
    misaddressed: int
    altered: int
    rebatched: int
    unacknowledged: int
    requests: int
    delivery_p50_s: float
    delivery_p99_s: float
    delivery_max_s: float

    def faults(self, *, duplicates_at_most: int | None = None, split: bool = False) -> list[str]:
        """What is wrong, one phrase each; empty when every promise was kept.

        *duplicates_at_most* None allows any number; *split* allows refused batches to have
        been cut into new ones.
        """
        never = ["missing", "unknown", "corrupted", "inversions", "mixed", "misaddressed"]
        never += ["altered"] if split else ["altered", "rebatched"]
        wrong = [f"{getattr(self, name)} {name}" for name in never if getattr(self, name)]
        if duplicates_at_most is not None and self.duplicates > duplicates_at_most:
            wrong.append(f"{self.duplicates} duplicates, at most {duplicates_at_most} allowed")
        return wrong

    def check(self, *, duplicates_at_most: int | None = None, split: bool = False) -> None:
        """Raise AssertionError, naming every broken promise."""
        wrong = self.faults(duplicates_at_most=duplicates_at_most, split=split)
        if wrong:
            raise AssertionError(f"run {self.run}: {', '.join(wrong)}; {self}")
