"""The parts of the plugin's asynchronous half, each made when it is first needed.

Some of them know each other: what is told of later is handed over as a function.
"""

from collections.abc import Callable, Coroutine
from functools import cached_property

from mem9_async.models.outcome import Confirmation, Outcome
from mem9_async.queue.deliverer import Deliverer
from mem9_async.queue.policy import Decision
from mem9_async.queue.records import Frozen
from mem9_async.runtime.desk.desk import Desk
from mem9_async.runtime.desk.live_queue import LiveQueue
from mem9_async.runtime.foundations import Foundations
from mem9_async.runtime.intake.accepting import Accepting
from mem9_async.runtime.intake.inline_delivery import Direct
from mem9_async.runtime.intake.last_call import LastCall
from mem9_async.runtime.intake.stores import Stores
from mem9_async.runtime.intake.unkept import Unkept
from mem9_async.runtime.outcome_observer import OutcomeObserver
from mem9_async.runtime.recall.recall import Recall
from mem9_async.runtime.status.queue_report import Reporting
from mem9_async.runtime.status.remembering import Remembering
from mem9_async.runtime.status.status_source import StatusSource
from mem9_async.runtime.upkeep.adopter import Adoption
from mem9_async.runtime.upkeep.delivery_loop import DeliveryLoop
from mem9_async.runtime.upkeep.key_rotation import Rotation
from mem9_async.runtime.upkeep.lane_loader import LaneLoader
from mem9_async.runtime.upkeep.maintainer import Upkeep
from mem9_async.runtime.upkeep.watcher import Watcher

Spawn = Callable[[Coroutine[object, object, None]], None]


class Parts(Foundations):
    """What one app is made of."""

    # What delivers

    @cached_property
    def deliverer(self) -> Deliverer:
        """Sends what has its turn."""
        return Deliverer(
            journal=self.journal,
            lanes=self.lanes,
            endpoints=self.endpoints,
            policy=self.policy,
            parking=self.parking,
            sink=self.client,
            limits=self.limits,
            clock=self.clock,
            observer=_Told(lambda: self.observer),
            make_room=self.storage.make_room,
            verbatim=lambda url: self.watcher.watch.server(url).has_no_model,
        )

    @cached_property
    def observer(self) -> OutcomeObserver:
        """Tells everybody what became of a batch."""
        return OutcomeObserver(
            news=self.news,
            rotation=self.rotation,
            notices=self.notices,
            delivered=self.delivered,
            watcher=self.watcher,
            underway=self.underway,
            waiting=self.waiting,
            unkept=self.unkept,
            reporting=self.reporting,
            tally=self.tally,
            clock=self.clock,
        )

    @cached_property
    def delivery_loop(self) -> DeliveryLoop:
        """Keeps delivery running."""
        return DeliveryLoop(
            deliverer=self.deliverer,
            storage=self.storage,
            health=self.health,
            begins=self.adoption.first_round,
            load_anew=self.loader.load_anew,
        )

    @cached_property
    def loader(self) -> LaneLoader:
        """From the journal to the lanes."""
        return LaneLoader(
            settings=self.settings,
            storage=self.storage,
            recovery=self.recovery,
            reports=self.reports,
            lanes=self.lanes,
            endpoints=self.endpoints,
            parking=self.parking,
            holds=self.holds,
            policy=self.policy,
            watcher=self.watcher,
            underway=self.underway,
            news=self.news,
            health=self.health,
            clock=self.clock,
        )

    # What goes on in the background

    @cached_property
    def watcher(self) -> Watcher:
        """What becomes of taken batches."""
        return Watcher(
            journal=self.journal,
            lanes=self.lanes,
            evidence=self.client.evidence,
            may_ask=self._may_ask,
            told=Remembering(
                delivered=self.delivered,
                underway=self.underway,
                reload_lanes=lambda lanes: self.loader.reload(lanes),
                wake=self.deliverer.wake,
                fingerprint=self.parking.fingerprint,
            ),
            clock=self.clock,
            window_s=self.settings.remember_window,
            max_jobs=self.settings.remember_max_jobs,
            max_bytes=self.settings.journal_max_bytes // 10,  # the rest is for what is not sent yet
            wake=self.deliverer.wake,
        )

    @cached_property
    def rotation(self) -> Rotation:
        """Follows replaced keys and addresses."""
        return Rotation(
            client=self.client,
            journal=self.journal,
            lanes=self.lanes,
            parking=self.parking,
            recovery=self.recovery,
            deliverer=self.deliverer,
            news=self.news,
            clock=self.clock,
            underway=self.underway,
            has_served=lambda space_id: self.delivered.of(space_id).delivered > 0,
            spawn=self.spawn,
        )

    @cached_property
    def adoption(self) -> Adoption:
        """Takes journals over whose owner is gone."""
        return Adoption(
            settings=self.settings,
            storage=self.storage,
            loader=self.loader,
            wake=self.deliverer.wake,
            now=self.clock.now,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        """Does what has to be done now and then."""
        return Upkeep(
            settings=self.settings,
            storage=self.storage,
            adoption=self.adoption,
            loader=self.loader,
            lanes=self.lanes,
            parking=self.parking,
            health=self.health,
            underway=self.underway,
            clock=self.clock,
            forget_spaces=self._forget_spaces,
        )

    # What takes stores in

    @cached_property
    def accepting(self) -> Accepting:
        """The front of the queue."""
        return Accepting(
            settings=self.settings,
            storage=self.storage,
            lanes=self.lanes,
            deliverer=self.deliverer,
            known=self.client.known,
            trouble=self.reporting.trouble,
            stored=self.rotation.stored,
            underway=self.underway,
            notices=self.notices,
            health=self.health,
            tally=self.tally,
            clock=self.clock,
        )

    @cached_property
    def last_call(self) -> LastCall:
        """Delivers first where the host ends us."""
        return LastCall(
            accept=self.accepting.accept,
            journal=self.journal,
            reports=self.reports,
            lanes=self.lanes,
            parking=self.parking,
            deliverer=self.deliverer,
            waiting=self.waiting,
            clock=self.clock,
            limit_s=self.wait_s,
        )

    @cached_property
    def direct(self) -> Direct:
        """Delivers first where nothing can be kept."""
        return Direct(
            self.client,
            reason=self.storage.reason or "",
            confirmation=Confirmation(self.settings.confirmation),
            timeout_s=self.wait_s,
        )

    @cached_property
    def unkept(self) -> Unkept:
        """Stores while the journal cannot be written."""
        return Unkept(
            direct=self.direct,
            journal=self.journal,
            lanes=self.lanes,
            deliverer=self.deliverer,
            parking=self.parking,
            has_failed=self.news.has_failed,
            clock=self.clock,
            timeout_s=self.wait_s,
            at_once=self.settings.max_in_flight_per_space,
        )

    @cached_property
    def stores(self) -> Stores:
        """The ways in which a store is taken."""
        return Stores(
            storage=self.storage,
            accepting=self.accepting,
            direct=self.direct,
            unkept=self.unkept,
            last_call=self.last_call,
            waiting=self.waiting,
            parking=self.parking,
            reports=self.reports,
            reporting=self.reporting,
            notices=self.notices,
            clock=self.clock,
            wait_s=self.wait_s,
        )

    # What tells

    @cached_property
    def recall(self) -> Recall:
        """Searches."""
        return Recall(
            client=self.client,
            journal=self.journal,
            reports=self.reports,
            parking=self.parking,
            underway=self.underway,
            notices=self.notices,
            clock=self.clock,
            timeout_s=self.settings.search_timeout_ms / 1000,
        )

    @cached_property
    def reporting(self) -> Reporting:
        """What one space is told of its queue."""
        return Reporting(
            storage=self.storage,
            lanes=self.lanes,
            parking=self.parking,
            reports=self.reports,
            recovery=self.recovery,
            deliverer=self.deliverer,
            delivered=self.delivered,
            underway=self.underway,
            news=self.news,
            health=self.health,
            holds=self.holds,
            clock=self.clock,
            not_remembering=lambda space_id: self.watcher.watch.not_remembering(space_id),
        )

    @cached_property
    def status(self) -> StatusSource:
        """How everything stands."""
        return StatusSource(
            settings=self.settings,
            storage=self.storage,
            lanes=self.lanes,
            endpoints=self.endpoints,
            parking=self.parking,
            holds=self.holds,
            watch=self.watcher.watch,
            health=self.health,
            tally=self.tally,
            clock=self.clock,
        )

    @cached_property
    def desk(self) -> Desk:
        """What those who operate it ask."""
        return Desk(
            self.journal,
            holds=self.holds,
            queue=LiveQueue(
                lanes=self.lanes,
                loader=self.loader,
                parking=self.parking,
                holds=self.holds,
                underway=self.underway,
                deliverer=self.deliverer,
                clock=self.clock,
            ),
            now=self.clock.now,
        )

    def _may_ask(self, space_id: int, endpoint: str) -> bool:
        """Whether a space may be asked what it has: not while it, or its address, is paused."""
        if self.parking.get(space_id) is not None:
            return False
        return self.endpoints.reopens_in_s(endpoint, self.clock.now()) is None

    def _forget_spaces(self, space_ids: set[int]) -> None:
        """Drop what is remembered of spaces that the journal has forgotten."""
        self.rotation.forget(space_ids)
        self.delivered.forget(space_ids)


class _Told:
    """Whoever is told of outcomes; it needs the deliverer itself, so it is looked up late."""

    def __init__(self, observer: Callable[[], OutcomeObserver]) -> None:
        self._observer = observer

    def cleared(self, space_id: int, job_ids: tuple[str, ...]) -> None:
        """These dead letters wait in line again."""
        self._observer().cleared(space_id, job_ids)

    def settled(self, frozen: Frozen, outcome: Outcome, decision: Decision) -> None:
        """One attempt of *frozen* has ended."""
        self._observer().settled(frozen, outcome, decision)
