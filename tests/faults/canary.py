"""Looks for what must never be written down: keys and contents, in files and in log lines."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

_CHUNK_BYTES = 8 * 1024 * 1024


def needles(keys: Iterable[str], marks: Iterable[str]) -> dict[str, bytes]:
    """What to look for, by a name that gives nothing away: each as it is and as base64."""
    found: dict[str, bytes] = {}
    for kind, texts in (("key", keys), ("content", marks)):
        for number, text in enumerate(sorted(set(texts))):
            raw = text.encode()
            found[f"{kind} {number}"] = raw
            # Without its last two characters, which depend on what follows.
            found[f"{kind} {number} in base64"] = base64.b64encode(raw).rstrip(b"=")[:-2]
    return found


def in_directory(directory: Path, wanted: Mapping[str, bytes]) -> list[str]:
    """Where something of *wanted* stands in any file below *directory*."""
    hits: list[str] = []
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            hits += [f"{name} in {path.name}" for name in _in_file(path, wanted)]
    return hits


def in_lines(lines: Iterable[bytes], wanted: Mapping[str, bytes], where: str) -> list[str]:
    """Which of *wanted* stand in *lines*, each named once."""
    text = b"\n".join(lines)
    return [f"{name} in {where}" for name, needle in wanted.items() if needle in text]


def _in_file(path: Path, wanted: Mapping[str, bytes]) -> list[str]:
    longest = max(map(len, wanted.values()), default=1)
    found: set[str] = set()
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            text = tail + chunk
            found.update(name for name, needle in wanted.items() if needle in text)
            tail = text[-longest:]
    return sorted(found)
