"""Which version of the plugin this is: what the manifest says, the one thing always installed.

Dify installs our dependencies and not the project, so that package metadata knows nothing of us.
"""

import re
from pathlib import Path

_MANIFEST = Path(__file__).resolve().parent.parent / "manifest.yaml"
_LINE = re.compile(r"^version:\s*['\"]?([\w.\-]+)", re.MULTILINE)
UNKNOWN = "unknown"


def stated(manifest: Path) -> str | None:
    """Return the version that *manifest* states; None when it cannot be read or states none."""
    try:
        found = _LINE.search(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found[1] if found else None


VERSION = stated(_MANIFEST) or UNKNOWN
