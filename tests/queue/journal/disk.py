"""A disk as a power cut leaves it, built from a tape.

What was synced is there. Of what was not, any part is: each write or truncation may be missing,
whatever became of those before and after it, and a write may be torn at its sectors. Names are
on the disk when their directory was synced; until then each creation and removal may be missing.

Two things are taken from SQLite's own assumptions: a sector is written whole or not at all, and
bytes of a sector that a write does not cover are not harmed by it (its "powersafe overwrite").
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.queue.journal.tape import Create, Delete, Step, Sync, Truncate, Write

SECTOR_BYTES = 512
_ALL_OR_NOTHING = 0.25  # of the cuts


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.unsynced:
            _apply(self.synced, step)
        self.unsynced.clear()


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left: the bytes of every file; how many unsynced steps are missing, or torn."""

    files: dict[str, bytes]
    missing: int
    torn: int


@dataclass(frozen=True, slots=True)
class _Weather:
    """How likely an unsynced step is to be missing, and one that is not, to be torn."""

    loss: float
    tearing: float


class Disk:
    """Plays a tape; can be asked at any step what a power cut would leave."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._unsynced_names: list[Create | Delete] = []

    def play(self, step: Step) -> None:
        """Let one step happen."""
        match step:
            case Write() | Truncate():
                self._files[step.number].unsynced.append(step)
            case Sync():
                self._files[step.number].sync()
                if step.directory:
                    self._sync_names()
            case Create():
                self._files[step.number] = _File()
                self._unsynced_names.append(step)
            case Delete():
                self._unsynced_names.append(step)
                if step.directory:
                    self._sync_names()

    def _sync_names(self) -> None:
        for step in self._unsynced_names:
            _rename(self._names, step)
        self._unsynced_names.clear()

    def unsynced_bytes(self, name: str) -> int:
        """How much was written to the file of that name since it was last synced."""
        names = dict(self._names)
        for step in self._unsynced_names:
            _rename(names, step)
        if name not in names:
            return 0
        steps = self._files[names[name]].unsynced
        return sum(len(step.data) for step in steps if isinstance(step, Write))

    def whole(self) -> dict[str, bytes]:
        """The files as the running process sees them, whatever is synced."""
        return self._remains(_Weather(loss=0.0, tearing=0.0), random.Random(0)).files

    def after_cut(self, rng: random.Random) -> Remains:
        """What a power cut at this moment leaves; the disk itself goes on unharmed."""
        return self._remains(_weather(rng), rng)

    def _remains(self, weather: _Weather, rng: random.Random) -> Remains:
        names = dict(self._names)
        missing = torn = 0
        for change in self._unsynced_names:
            if rng.random() < weather.loss:
                missing += 1
            else:
                _rename(names, change)
        files = {}
        for name, number in sorted(names.items()):
            file = self._files[number]
            content = bytearray(file.synced)
            for step in file.unsynced:
                if rng.random() < weather.loss:
                    missing += 1
                elif isinstance(step, Write) and rng.random() < weather.tearing:
                    torn += 1
                    for piece in _sectors(step):
                        if rng.random() < 0.5:
                            _apply(content, piece)
                else:
                    _apply(content, step)
            files[name] = bytes(content)
        return Remains(files, missing, torn)


def disks(steps: Sequence[Step], positions: Iterable[int]) -> Iterator[tuple[int, Disk]]:
    """The disk at each of *positions*, counted in steps, in their order."""
    disk, played = Disk(), 0
    for position in sorted(positions):
        for step in steps[played:position]:
            disk.play(step)
        played = position
        yield position, disk


def _weather(rng: random.Random) -> _Weather:
    if rng.random() < _ALL_OR_NOTHING:
        return _Weather(loss=float(rng.randrange(2)), tearing=0.0)
    # From nearly all to nearly none: thousands of steps can be unsynced, or a handful.
    return _Weather(loss=10 ** -rng.uniform(0, 4), tearing=10 ** -rng.uniform(0, 4))


def _rename(names: dict[str, int], step: Create | Delete) -> None:
    if isinstance(step, Create):
        names[step.name] = step.number
    else:
        names.pop(step.name, None)


def _apply(content: bytearray, step: Write | Truncate) -> None:
    if isinstance(step, Truncate):
        _resize(content, step.size)
        return
    if len(content) < step.offset:
        _resize(content, step.offset)
    content[step.offset : step.offset + len(step.data)] = step.data


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _sectors(write: Write) -> Iterator[Write]:
    """The parts of a write that lie in one sector each."""
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(write.number, start, write.data[start - write.offset : stop - write.offset])
        start = stop
