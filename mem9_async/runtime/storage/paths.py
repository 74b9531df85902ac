"""Where the journal lives: outside the plugin's own, versioned working directory."""

import re
from pathlib import Path

import platformdirs

# …/<author>/<name>-<version>@<checksum>: a new version gets a new one, and leaves the old behind.
_DIFY_WORKING_DIRECTORY = re.compile(r".+-\d[\w.\-]*@[0-9a-f]{8,}")


def data_directory(configured: Path | None, working_directory: Path) -> Path:
    """The directory for journals and their key: as configured, else a place that upgrades keep."""
    if configured is not None:
        return configured.expanduser().absolute()
    if _DIFY_WORKING_DIRECTORY.fullmatch(working_directory.name):
        return working_directory.parents[1] / ".mem9-async"
    return Path(platformdirs.user_data_dir("mem9-async", appauthor=False))


def journal_directory(data: Path) -> Path:
    """Where journal files lie."""
    return data / "journal"


def key_file(data: Path) -> Path:
    """Where the sealing key lies when none is configured: never beside what it opens."""
    return data / "key" / "journal.key"
