"""Which process this is, for whoever looks from outside."""

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

from mem9_async.boot import BOOT_ID, STARTED_AT
from mem9_async.models.status_snapshot import Sdk
from mem9_async.version import VERSION


@dataclass(frozen=True, slots=True)
class Process:
    """What stays the same from its start to its end."""

    boot_id: str
    pid: int
    version: str
    started_at: float
    sdk: Sdk


@lru_cache
def this_process() -> Process:
    """The process that asks."""
    return Process(BOOT_ID, os.getpid(), VERSION, STARTED_AT, Sdk(_sdk_version()))


def _sdk_version() -> str | None:
    try:
        return metadata.version("dify_plugin")
    except metadata.PackageNotFoundError:
        return None
