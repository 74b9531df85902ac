"""A server that has a bad day: mostly slow acceptance, sometimes every kind of trouble."""

import random

from tests.faults import scripts
from tests.faults.record import Record
from tests.faults.scripts import Script
from tests.faults.server import FaultServer

_POISON = " number 17 "  # of every lane, one content


def poisoned(text: str) -> bool:
    """Whether rough weather refuses this content for good."""
    return _POISON in text


def _one_answer(rng: random.Random) -> Script:
    """One answer of a server that has a bad day: mostly slow acceptance, sometimes worse."""
    dice = rng.random()
    if dice < 0.80:
        return scripts.accept(delay_s=rng.uniform(0, 0.05))
    if dice < 0.86:
        return scripts.reset_after_body()
    if dice < 0.92:
        return scripts.error(503, "cannot connect to tenant database")
    if dice < 0.96:
        return scripts.error(429, "cluster quota exhausted")
    return scripts.error(429, "rate limit exceeded")


def rough(server: FaultServer, seed: int) -> None:
    """Let every store request meet rough weather, the same for the same seed and order.

    One content of every lane is refused for good, until the weather clears.
    """
    rng = random.Random(seed)

    def decide(_: Record) -> Script:
        script = _one_answer(rng)
        return _picky(script) if script.name == "accept" else script

    server.decide = decide


def calm(server: FaultServer) -> None:
    """Take everything at once, but the contents that rough weather refuses."""
    script = _picky(scripts.accept())
    server.decide = lambda _: script


def _picky(script: Script) -> Script:
    refusal = scripts.error(400, "content: not this one")
    return scripts.poisoned(poisoned, refusal, otherwise=script)
