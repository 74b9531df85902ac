"""What each space's server is known to have: asked in the background, remembered for an hour."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from mem9_async.client.capabilities.probes import APP_ID, WINDOW, Probe, proves, proving
from mem9_async.client.pool import LIST_BODY_MAX, Request
from mem9_async.client.reader import Asker, addresses_of
from mem9_async.client.responses.outcomes import of_unreadable
from mem9_async.client.single_flight import InFlight
from mem9_async.client.urls import read_headers
from mem9_async.models.capability import Capabilities, Feature, Support
from mem9_async.models.errors import NotOffered, RequestFailed
from mem9_async.models.outcome import ErrorType, Meter, Outcome
from mem9_async.models.space import Space

FRESH_S = 3600.0
_KEPT_S = 2 * FRESH_S  # an hour longer it still answers, while it is asked for again
_AGAIN_S = 30.0  # what could not be found out is not asked for more often in the background
_SPACES_MOST = 1_000

# Failures that say what is wrong; by any other one, only the question was refused.
_TELLING = frozenset(
    {
        ErrorType.DNS_ERROR,
        ErrorType.CONNECTION_REFUSED,
        ErrorType.CONNECT_TIMEOUT,
        ErrorType.TLS_ERROR,
        ErrorType.POOL_TIMEOUT,
        ErrorType.CONNECTION_RESET,
        ErrorType.READ_TIMEOUT,
        ErrorType.PROTOCOL_ERROR,
        ErrorType.REDIRECT,
        ErrorType.AUTH,
        ErrorType.QUOTA_EXHAUSTED,
        ErrorType.RATE_LIMITED,
        ErrorType.REQUEST_TIMEOUT,
        ErrorType.SERVER_ERROR,
        ErrorType.UNAVAILABLE,
    }
)

_FORBIDDEN = "forbidden"  # a 403 in words that are not mem9's: perhaps of the question alone

_SpaceKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Finding:
    support: Support
    at: float
    failure: Outcome | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be asked again."""
        return self.support is not Support.UNKNOWN and now - self.at < FRESH_S

    @property
    def is_telling(self) -> bool:
        """Whether the call itself would fail in the same way."""
        if self.failure is None or self.failure.error_type not in _TELLING:
            return False
        return self.failure.error_code != _FORBIDDEN


@dataclass(slots=True)
class _Known:
    findings: dict[str, _Finding] = field(default_factory=dict)
    no_keyword_until: float = float("-inf")
    asked_at: float = float("-inf")


class Known:
    """The capabilities of every space in use; belongs to one event loop."""

    def __init__(self, asker: Asker, *, timeout_s: float, now: Callable[[], float]) -> None:
        """*timeout_s* is for one question; *now* is a monotonic clock, in seconds."""
        self._asker = asker
        self._timeout_s = timeout_s
        self._now = now
        self._spaces: dict[_SpaceKey, _Known] = {}
        self._asking: InFlight[tuple[_SpaceKey, str], _Finding] = InFlight()
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """End what is being asked in the background."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, space: Space) -> Capabilities:
        """What is known now; nothing is asked."""
        known = self._spaces.get(_key(space))
        if known is None:
            return Capabilities()
        return Capabilities(
            app_id=self._support(known, APP_ID),
            window=self._support(known, WINDOW),
            no_keyword=known.no_keyword_until > self._now(),
        )

    def refused(self, space: Space, features: Iterable[Feature]) -> NotOffered | None:
        """The refusal of what the server is known not to have; None where it has it, or may.

        What is not known, or not any more, is asked for in the background.
        """
        wanted = tuple(features)
        self._look_into(space, wanted)
        known = self.of(space)
        for feature in wanted:
            if known.of(feature) is Support.NO:
                return NotOffered(feature, known=True)
        return None

    async def require(
        self, space: Space, features: Iterable[Feature], *, timeout_s: float | None = None
    ) -> None:
        """Return when the server is known to have *features*.

        What is not known is asked first, within *timeout_s* (None: as long as a question takes).
        Raises NotOffered where it has not, or where that cannot be told; RequestFailed where the
        question failed in a way that the call itself would.
        """
        wanted = tuple(features)
        limit_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        for feature in wanted:
            if self.of(space).of(feature) is Support.UNKNOWN:
                await self._ask(space, proving(feature), limit_s)
            support = self.of(space).of(feature)
            if support is Support.NO:
                raise NotOffered(feature, known=True)
            if support is Support.UNKNOWN:
                self._raise_unknown(space, feature)
        self._look_into(space, wanted)

    def doubt(self, space: Space, feature: Feature) -> None:
        """An answer spoke against *feature*: ask again before it is relied on."""
        known = self._spaces.get(_key(space))
        if known is None:
            return
        if feature is Feature.KEYWORD:
            known.no_keyword_until = self._now() + FRESH_S
            return
        for probe in proving(feature):
            known.findings.pop(probe.refusal, None)

    def _support(self, known: _Known, probe: Probe) -> Support:
        found = known.findings.get(probe.refusal)
        if found is None or self._now() - found.at >= _KEPT_S:
            return Support.UNKNOWN
        return found.support

    def _raise_unknown(self, space: Space, feature: Feature) -> None:
        known = self._known(space)
        for probe in proving(feature):
            found = known.findings.get(probe.refusal)
            if found is not None and found.is_telling:
                raise RequestFailed(found.failure or Outcome())
        raise NotOffered(feature, known=False)

    def _look_into(self, space: Space, features: tuple[Feature, ...]) -> None:
        """Ask in the background for what is not known, or was found out an hour ago."""
        probes = {probe.refusal: probe for each in features for probe in proving(each)}
        known = self._known(space)
        now = self._now()
        stale = [
            probe
            for name, probe in probes.items()
            if (found := known.findings.get(name)) is None or not found.is_fresh(now)
        ]
        if not stale or now - known.asked_at < _AGAIN_S:
            return
        known.asked_at = now
        task = asyncio.get_running_loop().create_task(self._ask(space, stale, self._timeout_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, space: Space, probes: Iterable[Probe], timeout_s: float) -> None:
        for probe in probes:
            known = self._known(space)
            found = known.findings.get(probe.refusal)
            if found is None or not found.is_fresh(self._now()):
                known.findings[probe.refusal] = await self._asking.run(
                    (_key(space), probe.refusal), partial(self._found, space, probe, timeout_s)
                )

    async def _found(self, space: Space, probe: Probe, timeout_s: float) -> _Finding:
        try:
            answer = await self._asker.exchange(
                Request(
                    "GET",
                    addresses_of(space.base_url).memories,
                    read_headers(space, None),
                    params=probe.params,
                    body_max=LIST_BODY_MAX,
                    may_resend=True,
                ),
                timeout_s=timeout_s,
            )
        except RequestFailed as exc:
            return _unknown(exc.outcome, self._now())
        support = proves(probe, answer)
        if support is not Support.UNKNOWN:
            return _Finding(support, self._now())
        failure = of_unreadable(answer) if answer.ok else self._asker.refusal(answer, Meter.RECALL)
        return _unknown(failure, self._now())

    def _known(self, space: Space) -> _Known:
        key = _key(space)
        known = self._spaces.get(key)
        if known is None:
            if len(self._spaces) >= _SPACES_MOST:
                del self._spaces[next(iter(self._spaces))]
            known = self._spaces[key] = _Known()
        return known


def _unknown(failure: Outcome, now: float) -> _Finding:
    # Only a question was asked: nothing can have been stored by it.
    told = failure.model_copy(update={"maybe_sent": False})
    return _Finding(Support.UNKNOWN, now, told)


def _key(space: Space) -> _SpaceKey:
    return space.base_url, space.key
