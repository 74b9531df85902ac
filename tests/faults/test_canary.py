"""The canary search finds what it is meant to find."""

import base64
from pathlib import Path

from tests.faults import canary


def test_a_key_in_any_file_is_found(tmp_path: Path) -> None:
    """In the clear and in base64, and nothing else is."""
    wanted = canary.needles(["k-secret"], ["run r1"])
    (tmp_path / "deep").mkdir()
    (tmp_path / "clean.db").write_bytes(b"\0" * 100)
    (tmp_path / "deep" / "a.db").write_bytes(b"\0\1k-secret\0")
    (tmp_path / "deep" / "b.db").write_bytes(base64.b64encode(b"k-secret and more"))

    assert canary.in_directory(tmp_path, wanted) == ["key 0 in a.db", "key 0 in base64 in b.db"]


def test_a_needle_across_two_reads_is_found(tmp_path: Path) -> None:
    """Files are read in pieces; what lies on the seam counts."""
    path = tmp_path / "a"
    size = canary._CHUNK_BYTES
    path.write_bytes(b"\0" * (size - 3) + b"k-secret" + b"\0" * 10)

    assert canary.in_directory(tmp_path, canary.needles(["k-secret"], [])) == ["key 0 in a"]


def test_content_in_a_log_line_is_found() -> None:
    """And named by its number, never by itself."""
    wanted = canary.needles([], ["run r1"])

    assert canary.in_lines([b"x", b'"run r1 lane"'], wanted, "log") == ["content 0 in log"]
    assert canary.in_lines([b"run r2"], wanted, "log") == []
