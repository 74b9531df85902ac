"""The page's queue as a workspace may see it: the spaces whose keys it has, and no other's."""

from collections.abc import AsyncIterator

from mem9_async.dashboard.site import Change, Hold
from mem9_async.dashboard.view import Figure, Parked, View, age
from mem9_async.models.inspection import ChangeAsk, Changed, HoldAsk, JobFilter, JobRow, ListAsk
from mem9_async.models.job import JobState, QueueCommand, QueueReport
from mem9_async.models.space import Space
from mem9_async.runtime.app import App

_NODE = (
    "These are this node's figures. Where Dify runs several plugin daemons, each shows the "
    "stores that arrived there."
)


class OwnSpaces:
    """What the page shows and changes; belongs to the loop's thread."""

    def __init__(self, app: App, spaces: tuple[Space, ...]) -> None:
        self._app = app
        self._spaces = spaces
        addresses = app.storage.journal.addresses
        numbers = {space: addresses.find_space(space) for space in spaces}
        #: Fingerprint by space, of those that are known here.
        self._names = {
            space: addresses.space_name(number)
            for space, number in numbers.items()
            if number is not None
        }

    async def view(self, filter_: JobFilter, *, after: str | None, limit: int) -> View:
        """What stands there now."""
        reports = {space: self._app.queue(QueueCommand(space=space)) for space in self._names}
        jobs = await self._jobs(filter_, after, limit)
        told = list(reports.values())
        healths = [each.health for each in told if each.health != "ok"]
        reasons = [each.health_reason or each.durability_reason for each in told]
        return View(
            state=healths[0] if healths else self._app.health.state,
            sentences=(*dict.fromkeys(each for each in reasons if each), _NODE),
            figures=tuple(_figures(told)),
            parked=tuple(self._parked(reports)),
            jobs=tuple(jobs),
            more=jobs[-1].job_id if len(jobs) == limit else None,
            all_held=bool(reports) and all(each.parked_reason == "paused" for each in told),
        )

    async def _jobs(self, filter_: JobFilter, after: str | None, limit: int) -> list[JobRow]:
        found: list[JobRow] = []
        for own in self._own(filter_):
            page = await self._app.desk.page(ListAsk(filter=own, limit=limit, after=after))
            found += page.jobs
        return sorted(found, key=lambda job: job.job_id, reverse=True)[:limit]

    def _own(self, filter_: JobFilter) -> list[JobFilter]:
        """The filter once for each own space that it allows."""
        return [
            filter_.model_copy(update={"space": name})
            for name in dict.fromkeys(self._names.values())
            if filter_.space in (None, name)
        ]

    def _parked(self, reports: dict[Space, QueueReport]) -> list[Parked]:
        return [
            Parked(
                space=self._names[space],
                reason=report.parked_reason or "waits for nothing",
                since="–",
                ends="–" if report.parked_for_s is None else age(report.parked_for_s),
                jobs=report.depth,
                held=report.parked_reason == "paused",
            )
            for space, report in reports.items()
        ]

    async def count(self, filter_: JobFilter) -> int:
        """How many jobs match."""
        counted = 0
        async for page in self._pages(filter_):
            counted += page
        return counted

    async def _pages(self, filter_: JobFilter) -> AsyncIterator[int]:
        for own in self._own(filter_):
            after: str | None = None
            while True:
                page = await self._app.desk.page(ListAsk(filter=own, limit=500, after=after))
                yield len(page.jobs)
                if (after := page.after) is None:
                    break

    async def change(self, do: Change, filter_: JobFilter) -> Changed:
        """Do it with all that match."""
        affected = skipped = 0
        for own in self._own(filter_):
            changed = await self._app.desk.change(ChangeAsk(do=do, filter=own))
            affected, skipped = affected + changed.affected, skipped + changed.skipped
        return Changed(affected=affected, skipped=skipped)

    async def hold(self, do: Hold, space: str | None) -> bool:
        """Hold an own space back (None: all of them), or let it go."""
        names = [name for name in dict.fromkeys(self._names.values()) if space in (None, name)]
        held = [self._app.desk.hold(HoldAsk(do=do, space=name)) for name in names]
        return any(each.changed for each in held)


def _figures(reports: list[QueueReport]) -> list[Figure]:
    ages = [each.oldest_age_s for each in reports if each.oldest_age_s is not None]

    def of(state: JobState) -> int:
        return sum(each.counts.get(state, 0) for each in reports)

    return [
        Figure("On their way", f"{sum(each.depth for each in reports):,}"),
        Figure("Oldest", age(max(ages, default=None))),
        Figure("In flight", f"{of(JobState.IN_FLIGHT):,}"),
        Figure("Parked", f"{of(JobState.PARKED):,}", bad=of(JobState.PARKED) > 0),
        Figure("Being watched", f"{of(JobState.TAKEN):,}"),
        Figure("Dead letters", f"{of(JobState.DEAD):,}", bad=of(JobState.DEAD) > 0),
        Figure("Delivered", f"{sum(each.delivered for each in reports):,}"),
        Figure("Remembered", f"{sum(each.remembered for each in reports):,}"),
    ]
