"""`queue dashboard`: the page, served on this machine for all there is in one data directory."""

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from mem9_async.cli.queue.questions import count, listed
from mem9_async.cli.queue.standing import Standing, standing
from mem9_async.cli.queue.targets import Targets
from mem9_async.dashboard.door import Door
from mem9_async.dashboard.exchange import PageRequest, PageResponse
from mem9_async.dashboard.site import Change, Hold, Site
from mem9_async.dashboard.view import Figure, Parked, View, age, lines, short
from mem9_async.models.inspection import ChangeAsk, Changed, HoldAsk, JobFilter, JobRow
from mem9_async.models.status_snapshot import StatusSnapshot

_BODY_MOST = 64 * 1024
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


class EveryTarget:
    """What the page shows and changes: every process and every journal at rest."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def view(self, filter_: JobFilter, *, after: str | None, limit: int) -> View:
        """What stands there now."""
        found = await standing(self._targets)
        jobs, _ = await listed(self._targets, filter_, limit, after)
        return _view(found, tuple(jobs), more=jobs[-1].job_id if len(jobs) == limit else None)

    async def count(self, filter_: JobFilter) -> int:
        """How many jobs match."""
        matching, _ = await count(self._targets, filter_)
        return matching

    async def change(self, do: Change, filter_: JobFilter) -> Changed:
        """Do it with all that match."""
        replies = await self._targets.ask(ChangeAsk(do=do, filter=filter_))
        found = [Changed.model_validate(reply.result) for reply in replies.results]
        return Changed(
            affected=sum(each.affected for each in found),
            skipped=sum(each.skipped for each in found),
        )

    async def hold(self, do: Hold, space: str | None) -> bool:
        """Hold a space back (None: everything), or let it go."""
        replies = await self._targets.ask(HoldAsk(do=do, space=space))
        return any(
            isinstance(r.result, dict) and bool(r.result["changed"]) for r in replies.results
        )


def _view(found: Standing, jobs: tuple[JobRow, ...], *, more: str | None) -> View:
    processes = found.processes
    state = next((each.health for each in processes if each.health != "ok"), None)
    reasons = [each.health_reason or each.durability_reason for each in processes]
    return View(
        state=state or ("ok" if processes else "no process runs"),
        sentences=tuple(dict.fromkeys(each for each in reasons if each)),
        figures=tuple(_figures(found)),
        processes=tuple(_process(each) for each in processes)
        + tuple(
            (f"journal {each.journal_file}", "", "nobody has it open", str(each.depth), "")
            for each in found.journals
        ),
        parked=tuple(_parked(processes)),
        dead=_dead(processes),
        charts=lines(processes),
        jobs=jobs,
        more=more,
        all_held=any(each.held_since is not None for each in processes),
        problems=tuple(f"{each.name}: {each.problem}" for each in found.replies.problems),
    )


def _figures(found: Standing) -> list[Figure]:
    processes, counts = found.processes, found.counts
    ages = [each.oldest_age_s for each in processes if each.oldest_age_s is not None]
    points = [each.history.points[-1] for each in processes if each.history.points]
    accept = [each.accept_p99_s for each in points if each.accept_p99_s is not None]
    delivery = [each.delivery_p99_s for each in points if each.delivery_p99_s is not None]
    rate_in = sum(each.rates.accepted_per_s for each in processes)
    rate_out = sum(each.rates.delivered_per_s for each in processes)
    return [
        Figure("On their way", f"{found.depth:,}"),
        Figure("Oldest", age(max(ages, default=None))),
        Figure("In, last minute", f"{rate_in:.1f}/s"),
        Figure("Out, last minute", f"{rate_out:.1f}/s"),
        Figure("A store waits (p99)", short(max(accept, default=None))),
        Figure("To delivery (p99)", short(max(delivery, default=None))),
        *(
            Figure(name, f"{counts[state]:,}", bad=bad and counts[state] > 0)
            for name, state, bad in (
                ("In flight", "in_flight", False),
                ("Parked", "parked", True),
                ("Being watched", "taken", False),
                ("Dead letters", "dead", True),
            )
        ),
    ]


def _process(told: StatusSnapshot) -> tuple[str, ...]:
    state = f"{told.health}, silent" if told.stale(time.time()) else told.health
    keeps = "nothing" if told.durability == "none" else told.durability
    return (f"{told.pid} ({told.boot_id})", told.version, state, f"{told.depth:,}", keeps)


def _parked(processes: tuple[StatusSnapshot, ...]) -> list[Parked]:
    found = []
    for told in processes:
        now = told.taken_at
        held = {each.space: each for each in told.held_spaces}
        found += [
            Parked(each.space, "held by hand", age(now - each.since), "–", each.jobs, held=True)
            for each in held.values()
        ]
        found += [
            Parked(
                each.space,
                each.reason,
                age(now - each.since),
                age(each.next_probe_at - now),
                each.jobs,
            )
            for each in told.parked_spaces
            if each.space not in held
        ]
    return found


def _dead(processes: tuple[StatusSnapshot, ...]) -> tuple[tuple[str, int], ...]:
    counted: dict[str, int] = {}
    for told in processes:
        for each in told.work.dead:
            counted[each.reason] = counted.get(each.reason, 0) + each.count
    return tuple(sorted(counted.items(), key=lambda item: -item[1]))


async def serve(
    targets: Targets, host: str, port: int, *, token: bool, say: Callable[[str], None]
) -> None:
    """Serve until cancelled. On another address than loopback, or with *token*, a secret is asked.

    Raises OSError when the address cannot be used.
    """
    secret = secrets.token_urlsafe(24) if token or not _is_loopback(host) else None
    site = Site(
        EveryTarget(targets),
        Door(secret, key=secrets.token_bytes(32)),
        cookie_path="/",
        secure=False,
    )
    app = web.Application(client_max_size=_BODY_MOST)
    app.router.add_route("*", "/", _handler(site, loopback_only=_is_loopback(host)))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, host, port)
        await listener.start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{bound}/   Ctrl+C ends it.")
        if secret is not None:
            say(f"Its secret: {secret}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _handler(
    site: Site, *, loopback_only: bool
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        # A page elsewhere whose name was pointed here must not be answered as if it were ours.
        if loopback_only and request.url.host not in _LOOPBACK_NAMES:
            return web.Response(status=421, text="This page is served for this machine only.\n")
        form = await request.post() if request.method == "POST" else {}
        told = await site.respond(
            PageRequest(
                method="GET" if request.method == "HEAD" else request.method,
                query=dict(request.query),
                form={name: value for name, value in form.items() if isinstance(value, str)},
                cookies=dict(request.cookies),
            )
        )
        return _answer(told)

    return handle


def _answer(told: PageResponse) -> web.Response:
    return web.Response(status=told.status, body=told.body.encode(), headers=told.headers)
