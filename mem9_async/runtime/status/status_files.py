"""The files that tell how the queue stands: written whole, and taken away with the process."""

import os
from contextlib import suppress
from pathlib import Path

from mem9_async.models.status_snapshot import StatusSnapshot, from_json, to_json
from mem9_async.queue import synced_directories

_DRAFT = ".tmp"
_KEPT_S = 3_600.0  # a number may be another process's by now: older than this, it proves nothing


def status_directory(data: Path) -> Path:
    """Where snapshots lie, `<boot_id>.json` of each process."""
    return data / "status"


def default_metrics_file(data: Path) -> Path:
    """Where the metrics lie when nothing else is configured."""
    return data / "metrics" / "mem9_async.prom"


class StatusFiles:
    """The files of one process. Each method blocks on the disk; none is for the loop."""

    def __init__(self, data: Path, boot_id: str, *, metrics: Path | None) -> None:
        """*metrics* is where Prometheus' file goes; None for nowhere."""
        self._directory = status_directory(data)
        self._snapshot = self._directory / f"{boot_id}.json"
        self._metrics = metrics
        # A place that somebody else reads is somebody else's to make: ours would be 0700.
        self._makes_parent = metrics is not None and metrics.is_relative_to(data)
        self._own_metrics = False
        self._closed = False

    def write(self, snapshot: StatusSnapshot) -> None:
        """Put *snapshot* in the place of the one before. Raises OSError when it cannot."""
        synced_directories.make(self._directory)
        self._replace(self._snapshot, to_json(snapshot).encode(), mode=0o600)
        if self._metrics is None:
            return
        self._own_metrics = not self._is_old(snapshot)
        if self._own_metrics:
            # Two in one place would make each other's counters jump: the newest process writes.
            from mem9_async.runtime.status.metrics import render  # 40 ms that not all need

            if self._makes_parent and not self._metrics.parent.exists():
                synced_directories.make(self._metrics.parent)
                # Mounted elsewhere, it is an exporter's to read: counts, and nobody's name.
                self._metrics.parent.chmod(0o755)
            self._replace(self._metrics, render(snapshot), mode=0o644)

    def tidy(self, now: float) -> int:
        """Remove what processes that are gone have left; return how many snapshots went."""
        removed = 0
        for path in self._others():
            told = _read(path)
            if told is None or (told.stale(now) and _is_gone(told, now)):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                    removed += 1
        for draft in self._directory.glob(f"*{_DRAFT}"):
            with suppress(OSError):
                if now - draft.stat().st_mtime > _KEPT_S:
                    draft.unlink(missing_ok=True)
        return removed

    def remove(self) -> None:
        """Take the files away: the process ends by itself, and nobody is to think it stuck."""
        self._closed = True
        with suppress(OSError):
            self._snapshot.unlink(missing_ok=True)
            if self._metrics is not None and self._own_metrics:
                self._metrics.unlink(missing_ok=True)

    def _others(self) -> list[Path]:
        return [path for path in self._directory.glob("*.json") if path != self._snapshot]

    def _is_old(self, snapshot: StatusSnapshot) -> bool:
        """Whether a younger process writes here, too: an upgrade lets the old one live a while."""
        told = (_read(path) for path in self._others())
        return any(
            other.started_at > snapshot.started_at and not other.stale(snapshot.taken_at)
            for other in told
            if other is not None
        )

    def _replace(self, path: Path, content: bytes, *, mode: int) -> None:
        # A name of its own beside the file: a rename within one directory is whole or not at all.
        draft = path.with_name(f".{path.name}.{self._snapshot.stem}{_DRAFT}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)  # the process's mask leaves nothing to others
                file.write(content)
            if not self._closed:
                draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _read(path: Path) -> StatusSnapshot | None:
    try:
        return from_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _is_gone(told: StatusSnapshot, now: float) -> bool:
    if now - told.taken_at > _KEPT_S:
        return True
    try:
        os.kill(told.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
