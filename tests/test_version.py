"""The version that is told is the one that the manifest states."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from mem9_async import version
from tests.host.process import HELD_BACK, ROOT


@pytest.mark.parametrize(
    ("manifest", "stated"),
    [
        ("version: 1.2.3\nmeta:\n  version: 9.9.9\n", "1.2.3"),
        ("type: plugin\nversion: '1.2.3-beta.1'\n", "1.2.3-beta.1"),
        ("meta:\n  version: 9.9.9\n", None),
        ("", None),
        (None, None),
    ],
)
def test_the_manifest_states_it(tmp_path: Path, manifest: str | None, stated: str | None) -> None:
    """Its own version, not that of the form it is written in."""
    if manifest is not None:
        (tmp_path / "manifest.yaml").write_text(manifest)

    assert version.stated(tmp_path / "manifest.yaml") == stated


def test_ours_is_that_of_the_project() -> None:
    """Stated twice, because Dify and Python each read their own file."""
    project = (ROOT / "pyproject.toml").read_text()

    assert f'version = "{version.VERSION}"' in project


async def test_the_log_of_an_installed_package_says_what_was_installed(tmp_path: Path) -> None:
    """Copied with another number in its manifest, as an upgrade is."""
    for name in ("main.py", "mem9_async", "_assets"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    manifest = (ROOT / "manifest.yaml").read_text()
    (tmp_path / "manifest.yaml").write_text(
        manifest.replace(f"version: {version.VERSION}", "version: 7.8.9", 1)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "main", cwd=tmp_path,
        env={**HELD_BACK, "MEM9_ASYNC_DATA_DIR": str(tmp_path / "data"), "INSTALL_METHOD": "local"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if b"worker.started" in line:
                break
        else:
            raise AssertionError("the plugin ended without having started its worker")
    finally:
        process.kill()
        await process.communicate()

    assert json.loads(json.loads(line)["data"]["message"])["version"] == "7.8.9"
