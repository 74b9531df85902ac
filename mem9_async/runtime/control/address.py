"""Addresses of control sockets: the kernel takes short paths only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH_MOST = 100  # bytes; the kernel takes 107
_SUFFIX = ".sock"


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for the socket at *path*; a long one goes by way of its open directory."""
    if len(os.fsencode(path)) <= _PATH_MOST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def run_directory(data: Path) -> Path:
    """Where sockets lie, `<boot_id>.sock` of each process."""
    return data / "run"


def socket_path(data: Path, boot_id: str) -> Path:
    """The socket of one process."""
    return run_directory(data) / f"{boot_id}{_SUFFIX}"


def sockets(data: Path) -> list[Path]:
    """Every socket there, of living processes or not."""
    return sorted(run_directory(data).glob(f"*{_SUFFIX}"))
