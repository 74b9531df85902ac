"""The package is what Dify takes, and nothing else."""

import shutil
import zipfile
from pathlib import Path

import pytest

from mem9_async.cli import package
from mem9_async.cli.host import PluginHost
from mem9_async.cli.package import PackageRefused, build

ROOT = Path(__file__).parents[2]
NAMES = ("main.py", "requirements.txt", "README.md", "PRIVACY.md", "CHANGELOG.md", "LICENSE")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small plugin with everything that must be left out beside it."""
    root = tmp_path / "tree"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "manifest.yaml").write_text("version: 1.2.3\nmeta:\n  version: 0.0.1\n")
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    for name in (
        "_assets/icon.svg",
        "mem9_async/__init__.py",
        "mem9_async/tools/provider.yaml",
        "mem9_async/__pycache__/x.cpython-312.pyc",
        "tests/test_x.py",
        "benchmarks/x.py",
        ".env",
        ".venv/bin/python",
        "uv.lock",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_the_package_holds_the_plugin_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    """Tests, benchmarks, environments, secrets and a stale lock stay outside."""
    built = build(tree, tmp_path / "dist", lock=False)

    assert built.path.name == "mem9_async-1.2.3.difypkg"
    with zipfile.ZipFile(built.path) as archive:
        names = archive.namelist()
    assert set(names) == {
        *NAMES,
        "manifest.yaml",
        "pyproject.toml",
        "_assets/icon.svg",
        "mem9_async/__init__.py",
        "mem9_async/tools/provider.yaml",
    }
    assert built.files == len(names)


def test_the_package_is_an_ordinary_zip_of_files_sorted_and_deflated(
    tree: Path, tmp_path: Path
) -> None:
    """Dify's daemon fails on directory entries."""
    with zipfile.ZipFile(build(tree, tmp_path, lock=False).path) as archive:
        entries = archive.infolist()

    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert not any(entry.is_dir() for entry in entries)
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_DEFLATED}


def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    """Times and places of the build leave no mark."""
    first = build(tree, tmp_path / "one", lock=False).path.read_bytes()
    copy = shutil.copytree(tree, tmp_path / "copy")

    assert build(copy, tmp_path / "two", lock=False).path.read_bytes() == first


def test_two_versions_in_one_tree_are_refused(tree: Path, tmp_path: Path) -> None:
    """Manifest and project must agree, or an upgrade installs under the wrong name."""
    (tree / "manifest.yaml").write_text("version: '1.2.4'\n")

    with pytest.raises(PackageRefused, match=r"1\.2\.4.*1\.2\.3"):
        build(tree, tmp_path, lock=False)


def test_a_missing_file_is_named(tree: Path, tmp_path: Path) -> None:
    """The marketplace asks for each of them."""
    (tree / "PRIVACY.md").unlink()

    with pytest.raises(PackageRefused, match=r"PRIVACY\.md"):
        build(tree, tmp_path, lock=False)


def test_a_tree_too_large_for_dify_is_refused(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dify counts unpacked bytes."""
    monkeypatch.setattr(package, "MAX_BYTES", 100)

    with pytest.raises(PackageRefused, match="over 100 bytes"):
        build(tree, tmp_path, lock=False)


def test_a_build_without_uv_says_that_it_packs_no_lock(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dify then resolves versions itself, within what pyproject.toml allows."""
    monkeypatch.setenv("PATH", "")

    built = build(tree, tmp_path, lock=True)

    assert "without uv.lock" in built.notes[0]


async def test_the_package_of_this_tree_starts_as_dify_starts_it(tmp_path: Path) -> None:
    """Nothing that the plugin needs was left out."""
    built = build(ROOT, tmp_path, lock=False)
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(tmp_path / "installed")

    async with PluginHost(tmp_path / "installed", {"MEM9_ASYNC_DATA_DIR": str(tmp_path)}) as host:
        await host.started()
        answer = await host.invoke("memory_queue", {}, {"mem9_api_key": "sk"})

    assert host.manifest is not None
    assert host.manifest["name"] == "mem9_async"
    assert answer.json["ok"] is True
    assert host.lines_not_json == []
