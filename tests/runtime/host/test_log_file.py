"""A file of the log's own; in a process of its own, patched by gevent."""

import json
from pathlib import Path

from tests.runtime.patched import run

_START = """
import dify_plugin
import sys, time, gevent
from pathlib import Path
import structlog
from mem9_async import logs
from mem9_async.runtime.host.log_file import LogFile

def until(condition, seconds=60):
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise SystemExit("the condition did not come true")
        time.sleep(0.02)

path = Path(sys.argv[1])
"""


def test_records_are_written_beside_the_hub_and_all_of_them_by_the_end(tmp_path: Path) -> None:
    """While the hub sleeps as well as at its end; the host's log has the same."""
    path = tmp_path / "events.log"
    out = run(
        _START
        + """
file, told = LogFile(path), []
def send(level, text):
    told.append(text)
    file.send(level, text)
logs.configure(send, level="info", version="test")
file.start()
log = structlog.get_logger()
log.info("job.accepted", bytes=1)
until(lambda: path.exists() and path.read_text().count("\\n") == 1)
for number in range(50):
    log.info("job.accepted", bytes=number)
file.close()
print("same", path.read_text().splitlines() == told, len(told))
""",
        str(path),
    )

    assert "same True 51" in out
    assert all(json.loads(line)["event"] for line in path.read_text().splitlines())
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_file_is_rotated_and_nothing_of_it_torn(tmp_path: Path) -> None:
    """The newest and a few older ones; none grows beyond its size."""
    path = tmp_path / "events.log"
    run(
        _START
        + """
file = LogFile(path, max_bytes=2_000, backups=2)
for number in range(100):
    file.send("info", '{"number": %d, "padding": "%s"}' % (number, "x" * 80))
file.start()
file.close()
""",
        str(path),
    )
    files = [tmp_path / name for name in ("events.log.2", "events.log.1", "events.log")]
    numbers = [
        json.loads(line)["number"] for each in files for line in each.read_text().splitlines()
    ]

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in files)
    assert numbers == list(range(100))[-len(numbers) :]
    assert all(each.stat().st_size <= 2_000 for each in files)


def test_a_place_that_cannot_be_written_is_told_once_and_used_when_it_can(tmp_path: Path) -> None:
    """Neither the process nor its answers depend on that disk."""
    path = tmp_path / "missing" / "events.log"
    out = run(
        _START
        + """
file, told = LogFile(path), []
def send(level, text):
    told.append(text)
    file.send(level, text)
logs.configure(send, level="info", version="test")
file.start()
log = structlog.get_logger()
log.info("job.accepted")
until(lambda: any("log.write_failed" in text for text in told))
path.parent.mkdir()
def written():
    log.info("job.accepted")
    return path.exists() and path.read_text()
until(written)
file.close()
print("told", sum("log.write_failed" in text for text in told))
""",
        str(path),
    )

    assert "told 1" in out
