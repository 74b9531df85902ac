"""mem9's notices for a space: each reaches one answer, and is not repeated for a while.

A store is answered before mem9 speaks, and the usage route is asked in the background, so
what they bring waits for the next answer.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol

from mem9_async.models.space import Space

_REPEAT_S = 15 * 60.0  # the same notice is shown, and the route asked, once in this time
_MAX_SPACES = 10_000

_SpaceKey = tuple[str, str]

Spawn = Callable[[Coroutine[object, object, None]], None]


class UsageRoute(Protocol):
    """The part of the client that knows how a space's usage stands."""

    async def runtime_notice(self, space: Space, caller_agent_id: str) -> str | None:
        """A sentence about the usage; None when all is well or nobody can tell."""


class _Space:
    """What one space was told, and what waits to be told. Times of the caller's clock."""

    def __init__(self) -> None:
        self.waits: str | None = None
        self.shown: dict[str, float] = {}
        self.asked_at = float("-inf")


class Notices:
    """Notices by space; belongs to the loop's thread."""

    def __init__(self, *, route: UsageRoute, now: Callable[[], float], spawn: Spawn) -> None:
        self._route = route
        self._now = now
        self._spawn = spawn
        self._spaces: dict[_SpaceKey, _Space] = {}

    def keep(self, space: Space, text: str) -> None:
        """Let *text* wait for the space's next answer, unless it was shown a moment ago."""
        known = self._of(space)
        if self._is_new(known, text):
            known.waits = text

    def take(self, space: Space) -> str | None:
        """The notice that waits for this space's next answer, once."""
        known = self._spaces.get(_key(space))
        if known is None or known.waits is None:
            return None
        text, known.waits = known.waits, None
        self._show(known, text)
        return text

    def joined(self, space: Space, *, spoken: str | None, usage: str | None) -> str | None:
        """What an answer with notices of its own tells, together with what waits.

        *spoken* are mem9's words for this very request; *usage* is told once in a while.
        """
        if spoken is None and usage is None:
            return self.take(space)
        known = self._of(space)
        told = [spoken] if spoken else []
        if usage and self._is_new(known, usage):
            told.append(usage)
        for text in told:
            self._show(known, text)
        if waits := self.take(space):
            told.append(waits)
        return " ".join(dict.fromkeys(told)) or None

    def ask(self, space: Space, agent_id: str) -> None:
        """Ask mem9 how the space's usage stands: in the background, and not often."""
        known, now = self._of(space), self._now()
        if now - known.asked_at < _REPEAT_S:
            return
        known.asked_at = now

        async def ask() -> None:
            text = await self._route.runtime_notice(space, agent_id)
            if text:
                self.keep(space, text)

        self._spawn(ask())

    def _is_new(self, known: _Space, text: str) -> bool:
        at = known.shown.get(text)
        return at is None or self._now() - at >= _REPEAT_S

    def _show(self, known: _Space, text: str) -> None:
        now = self._now()
        known.shown = {old: at for old, at in known.shown.items() if now - at < _REPEAT_S}
        known.shown[text] = now

    def _of(self, space: Space) -> _Space:
        key = _key(space)
        known = self._spaces.get(key)
        if known is None:
            if len(self._spaces) >= _MAX_SPACES:
                # The one that came first; at the worst it is asked, or told, once too often.
                del self._spaces[next(iter(self._spaces))]
            known = self._spaces[key] = _Space()
        return known


def _key(space: Space) -> _SpaceKey:
    return space.base_url, space.key
