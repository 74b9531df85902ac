"""Which file system a directory lies on, by lists of mounts as Linux writes them."""

from pathlib import Path

import pytest

from mem9_async.runtime.storage import mounts

_LIST = """\
30 1 0:28 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c
31 30 0:29 / /proc rw - proc proc rw
40 30 259:1 / /app/storage rw,relatime - ext4 /dev/nvme0n1 rw
41 40 0:50 / /app/storage/share rw - nfs4 server:/export rw
42 30 0:51 / /app/with\\040space rw shared:9 master:2 - tmpfs tmpfs rw
43 30 0:52 / /twice rw - ext4 /dev/sda rw
44 30 0:53 / /twice rw - cifs //server/share rw
45 30 0:54 / /app/stor rw - ramfs ramfs rw
"""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A container's mounts."""
    path = tmp_path / "mountinfo"
    path.write_text(_LIST + "a line that is none\n\n - \n")
    return path


@pytest.mark.parametrize(
    ("directory", "kind", "words"),
    [
        ("/app/cwd/.mem9-async", "overlay", "container's own layer"),
        ("/app/storage", "ext4", None),
        ("/app/storage/mem9-async/not/there/yet", "ext4", None),
        ("/app/storage/share/x", "nfs4", "network file system"),
        ("/app/with space/x", "tmpfs", "memory"),
        ("/twice", "cifs", "network file system"),
        ("/app/stor/x", "ramfs", "memory"),
        ("/app/storage/../cwd", "overlay", "container's own layer"),
    ],
)
def test_the_deepest_and_last_mount_decides(
    listed: Path, directory: str, kind: str, words: str | None
) -> None:
    """By whole names, through links and dots, also of what is not there yet."""
    assert mounts.file_system(Path(directory), listed) == kind
    told = mounts.weakness(Path(directory), listed)
    assert told is None if words is None else words in str(told)


def test_where_there_is_no_list_nothing_is_said(tmp_path: Path) -> None:
    """Other systems have none."""
    assert mounts.weakness(tmp_path, tmp_path / "missing") is None


def test_what_is_mounted_here_is_found() -> None:
    """The real list names the file system of the root."""
    assert mounts.file_system(Path("/"))
