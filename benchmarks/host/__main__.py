"""`python -m benchmarks.host --daemon PATH --cli PATH`: the plugin where it lives."""

import argparse
import asyncio
import itertools
import shutil
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import stub_mem9
from benchmarks.host import packages, rates
from benchmarks.host.daemon import Daemon
from benchmarks.host.delivery import Storing, killed
from benchmarks.host.programs import Missing, Programs, find
from benchmarks.host.services import Services, services
from benchmarks.load import searches, stores
from mem9_async.devserver.server import DevServer

ROOT = Path(__file__).parent.parent.parent
OURS, FLOOR, SYNCHRONOUS = (
    "mem9-async/mem9_async",
    "mem9-async/bench_floor",
    "mem9-async/bench_synchronous",
)
SUBJECT: JsonValue = {"app_id": "app", "subject_kind": "user", "subject_id": "user"}
TOOLS: dict[str, dict[str, JsonValue]] = {
    "memory_store": {"content": "I take tea."}, "memory_search": {"query": "tea"},
    "memory_list": {}, "memory_get": {"memory_id": "none"},
    "memory_update": {"memory_id": "none", "content": "x"},
    "memory_delete": {"memory_ids": "none"}, "memory_queue": {},
    "memory_prepare": {"memory_context": SUBJECT, "request": {"query": "tea", "max_bytes": 512}},
    "memory_observe": {"memory_context": SUBJECT, "request": {
        "event_id": "run:1", "event": "user_prompt", "payload": {"text": "I take tea."}}},
}  # fmt: skip


class Report:
    """Rows of what was measured; `short` counts what fell short."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._table = Table("what", "measured", "wanted", "")
        self.short = 0

    def add(self, what: str, measured: str, wanted: str = "", *, holds: bool = True) -> None:
        """Add a row and say it at once."""
        self.short += not holds
        self._table.add_row(what, measured, wanted, "" if holds else "SHORT")
        self._console.print(f"{what}: {measured} {'' if holds else 'SHORT'}", highlight=False)

    def print(self) -> None:
        """The whole table."""
        self._console.print(self._table)


async def run(programs: Programs, report: Report, *, rounds: int) -> None:
    """Everything, in order."""
    with tempfile.TemporaryDirectory(prefix="mem9_host_") as folder:
        place = Path(folder)
        made = packages.make(ROOT, place / "packages")
        async with services(programs, place) as found, DevServer(log_size=500_000) as mem9:
            daemon = _daemon(programs, found, place / "one")
            await daemon.migrate()
            async with daemon.running(place / "daemon.log"):
                try:
                    await _life(daemon, made, mem9, report)
                    await _rates(daemon, report, rounds)
                    await _faults(daemon, made, mem9, report, place)
                    await _two(programs, found, place, daemon, mem9, report)
                except BaseException:
                    Console(stderr=True).print(_tail(place / "daemon.log"), markup=False)
                    raise


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


def _daemon(programs: Programs, found: Services, place: Path) -> Daemon:
    place.mkdir()
    return Daemon(programs, found, place)


def _keys(base_url: str, key: str) -> dict[str, JsonValue]:
    return {"auth_mode": "single_space", "mem9_base_url": base_url, "mem9_api_key": key}


async def _life(daemon: Daemon, made: packages.Packages, mem9: DevServer, report: Report) -> None:
    """Package, install, credentials, every tool."""
    for package in (made.ours, made.floor, made.synchronous):
        began = asyncio.get_running_loop().time()
        await daemon.install(await daemon.upload(package))
        took = asyncio.get_running_loop().time() - began
        report.add(f"install {package.stem}", f"{took:.0f} s")
    keys = _keys(mem9.base_url, mem9.key)
    await daemon.validate(OURS, keys)
    try:
        await daemon.validate(OURS, _keys(mem9.base_url, "sk-nobody"))
    except Exception as refused:
        report.add("credentials, a wrong key", str(refused)[:60], "refused")
    else:
        report.add("credentials, a wrong key", "taken", "refused", holds=False)
    for tool, parameters in TOOLS.items():
        messages = await daemon.invoke(OURS, tool, parameters, keys)
        kinds = [message["type"] for message in messages]
        holds = "json" in kinds and "variable" in kinds
        report.add(tool, f"{len(kinds)} messages", "JSON and variables", holds=holds)


async def _rates(daemon: Daemon, report: Report, rounds: int) -> None:
    """64 callers beside a plugin that does nothing and one that waits."""
    async with stub_mem9() as bases:
        keys = _keys(bases[50], "sk-bench-0123456789")
        cases: dict[str, tuple[str, str, Iterator[dict[str, JsonValue]]]] = {
            "bare plugin": (FLOOR, "noop", stores()),
            "our store": (OURS, "memory_store", stores()),
            "synchronous store": (SYNCHRONOUS, "memory_store", stores()),
            "our search": (OURS, "memory_search", searches()),
            "synchronous search": (SYNCHRONOUS, "memory_search", searches()),
        }
        samples: dict[str, list[rates.Rate]] = {name: [] for name in cases}
        for _, (name, case) in itertools.product(range(rounds), cases.items()):
            samples[name].append(await rates.measure(daemon, *case, keys, warm_s=2, measured_s=5))
    found = {name: rates.median(each) for name, each in samples.items()}
    for name, rate in found.items():
        report.add(f"{name}, 64 callers", f"{rate.calls_s:,.0f}/s, {rate.cpu_ms:.2f} ms of daemon")
    floor = found["bare plugin"]
    _ratio(report, "our store / bare", found["our store"].calls_s / floor.calls_s, 0.7)
    _ratio(report, "our search / synchronous",
           found["our search"].calls_s / found["synchronous search"].calls_s, 2.5)  # fmt: skip
    cost = found["our store"].cpu_ms / floor.cpu_ms
    report.add("daemon CPU, our store / bare", f"{cost:.2f}", "<= 1.76", holds=cost <= 1.76)


def _ratio(report: Report, what: str, measured: float, wanted: float) -> None:
    report.add(what, f"{measured:.2f}", f">= {wanted}", holds=measured >= wanted)


async def _faults(
    daemon: Daemon, made: packages.Packages, mem9: DevServer, report: Report, place: Path
) -> None:
    """An upgrade, kills of the plugin and of the daemon, each under load."""
    keys = _keys(mem9.base_url, mem9.key)
    before, after = await daemon.upload(made.ours), await daemon.upload(made.newer)

    async def restarted() -> None:
        await asyncio.sleep(4)
        await daemon.stop(signal.SIGKILL)
        await daemon.start(place / "daemon.log")
        await asyncio.sleep(15)

    for what, happening in (
        ("upgrade", daemon.upgrade(before, after)),
        ("three kills", killed(daemon, "mem9_async", 3)),
        ("daemon killed", restarted()),
    ):
        storing = Storing(daemon, OURS, keys, what.replace(" ", "-"))
        await storing.while_(happening)
        await _judge(report, what, storing, mem9)


async def _two(
    programs: Programs, found: Services, place: Path, first: Daemon, mem9: DevServer, report: Report
) -> None:
    """Two daemons on one database: each serves what it is asked."""
    second = _daemon(programs, found, place / "two")
    second.tenant = first.tenant
    # Packages lie in a storage that daemons of one database share.
    copy = partial(shutil.copytree, dirs_exist_ok=True)
    await asyncio.to_thread(copy, first.place / "storage", second.place / "storage")
    keys = _keys(mem9.base_url, mem9.key)
    async with second.running(place / "second.log"):
        await asyncio.sleep(20)
        both = [Storing(each, OURS, keys, f"node-{n}") for n, each in enumerate((first, second))]
        await asyncio.gather(*(each.while_(asyncio.sleep(5)) for each in both))
        for number, storing in enumerate(both, start=1):
            await _judge(report, f"two daemons, node {number}", storing, mem9)


async def _judge(report: Report, what: str, storing: Storing, mem9: DevServer) -> None:
    found = await storing.outcome(mem9)
    report.add(
        what,
        f"{found.accepted} accepted, {found.refused} refused, {found.missing} missing, "
        f"{found.twice} twice",
        "0 missing",
        holds=found.accepted > 0 and not found.missing,
    )


def main() -> int:
    """0 when nothing fell short, 1 when something did, 2 when a program is missing."""
    parser = argparse.ArgumentParser(prog="make host", description=__doc__)
    parser.add_argument("--daemon", help="the daemon's server")
    parser.add_argument("--cli", help="the daemon's command line")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    console = Console(width=140)
    try:
        programs = find(given.daemon, given.cli, ROOT)
    except Missing as missing:
        console.print(str(missing), markup=False)
        return 2
    report = Report(console)
    try:
        asyncio.run(run(programs, report, rounds=given.rounds))
    finally:
        report.print()
    return 1 if report.short else 0


if __name__ == "__main__":
    raise SystemExit(main())
