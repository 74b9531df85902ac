"""The packages of a run: ours in two versions, one that does nothing, one that waits for mem9."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mem9_async.cli.package import build

_PROJECT = """[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.12"
dependencies = [{dependencies}]
"""
_DEPENDENCIES = {"bench_floor": ("dify-plugin==0.10.2",),
                 "bench_synchronous": ("dify-plugin==0.10.2", "requests")}  # fmt: skip


@dataclass(frozen=True)
class Packages:
    """Where each package lies."""

    ours: Path
    newer: Path
    floor: Path
    synchronous: Path


def make(root: Path, out: Path) -> Packages:
    """Build all into *out*. Raises PackageRefused."""
    ours = build(root, out, lock=False).path
    return Packages(
        ours=ours,
        newer=_raised(ours, out),
        floor=_small(root / "benchmarks/floor", "bench_floor", out),
        synchronous=_small(root / "benchmarks/synchronous", "bench_synchronous", out),
    )


def _raised(package: Path, out: Path) -> Path:
    """The same with another version, as an upgrade is."""
    newer = out / "newer.difypkg"
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(newer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name in ("manifest.yaml", "pyproject.toml"):
                text = content.decode()
                text = re.sub(r"^version: \S+", "version: 99.0.0", text, count=1, flags=re.M)
                text = re.sub(r'^version = "\S+"', 'version = "99.0.0"', text, count=1, flags=re.M)
                content = text.encode()
            new.writestr(name, content)
    return newer


def _small(folder: Path, name: str, out: Path) -> Path:
    path = out / f"{name}.difypkg"
    wanted = ", ".join(f'"{each}"' for each in _DEPENDENCIES[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for source in sorted(folder.rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                package.write(source, source.relative_to(folder).as_posix())
        package.writestr("pyproject.toml", _PROJECT.format(name=name, dependencies=wanted))
        package.writestr("requirements.txt", "\n".join(_DEPENDENCIES[name]) + "\n")
    return path
