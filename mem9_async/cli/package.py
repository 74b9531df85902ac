"""Builds the package that Dify takes: an ordinary ZIP of the plugin's own files.

Dify's rules (docs/reference/dify-plugin.md, 8): file entries only, sorted, deflate; at
most 50 MiB. The same tree gives the same bytes, apart from a lock made anew.
"""

import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mem9_async.version import stated

MAX_BYTES = 50 * 1024 * 1024
_FILES = (
    "manifest.yaml",
    "main.py",
    "pyproject.toml",
    "requirements.txt",
    "README.md",
    "PRIVACY.md",
    "CHANGELOG.md",
    "LICENSE",
)
_FOLDERS = ("_assets", "mem9_async", "readme")
_LEFT_OUT = frozenset({"__pycache__", ".DS_Store"})
_PIN = re.compile(r"^([A-Za-z0-9._\-]+==[^\s;\\]+)", re.MULTILINE)
_OLDEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class PackageRefused(Exception):
    """The tree cannot become a package; the message says why."""


@dataclass(frozen=True)
class Built:
    """What was built. `notes` are worth reading before uploading it."""

    path: Path
    files: int
    notes: tuple[str, ...]


def build(root: Path, out: Path, *, lock: bool) -> Built:
    """Write the package of the tree at *root* into the folder *out*.

    With *lock*, a uv.lock with the versions of requirements.txt is made and packed, if uv is
    there. Raises PackageRefused.
    """
    version = _version(root)
    missing = [name for name in _FILES if not (root / name).is_file()]
    if missing:
        raise PackageRefused(f"missing: {', '.join(missing)}")
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in _sources(root)}
    notes: list[str] = []
    if lock:
        locked, note = _fresh_lock(root)
        notes.append(note)
        if locked is not None:
            contents["uv.lock"] = locked
    if sum(map(len, contents.values())) > MAX_BYTES:
        raise PackageRefused(f"over {MAX_BYTES} bytes unpacked, which Dify refuses")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"mem9_async-{version}.difypkg"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _OLDEST_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, contents[name])
    return Built(path, len(contents), tuple(notes))


def _sources(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _FILES)
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not _LEFT_OUT & set(path.relative_to(root).parts):
                yield path


def _version(root: Path) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    found = stated(root / "manifest.yaml")
    if found != project:
        raise PackageRefused(f"manifest.yaml says version {found}, pyproject.toml {project}")
    return str(project)


def _fresh_lock(root: Path) -> tuple[bytes | None, str]:
    uv = _working_uv(root)
    if uv is None:
        return None, "No uv here: packed without uv.lock; Dify resolves versions when it installs."
    pins = _PIN.findall((root / "requirements.txt").read_text())
    with tempfile.TemporaryDirectory() as folder:
        for name in ("pyproject.toml", ".python-version"):
            if (root / name).exists():
                shutil.copy(root / name, folder)
        # To "upgrade" a package to one version is uv's way of pinning it in a lock.
        command = [uv, "lock", "--quiet", *(f"--upgrade-package={pin}" for pin in pins)]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            raise PackageRefused(f"uv made no lock (--no-lock packs without): {made.stderr}")
        text = (Path(folder) / "uv.lock").read_text()
    hosts = sorted({urlsplit(url).netloc for url in re.findall(r'url = "([^"]+)"', text)})
    return text.encode(), f"uv.lock takes packages from: {', '.join(hosts)}"


def _working_uv(root: Path) -> str | None:
    for candidate in ("uv", str(root / ".uv/bin/uv")):
        try:
            if not subprocess.run([candidate, "--version"], capture_output=True).returncode:
                return candidate
        except OSError:
            continue
    return None
