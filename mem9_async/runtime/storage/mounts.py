"""What kind of file system a directory lies on, and whether it outlasts the container.

Read from Linux's list of mounts; where there is none, nothing is said.
"""

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # spaces, tabs, line ends and backslashes in mount points

_LAYER = "a container's own layer ({kind}), which is gone when the container is made anew"
_MEMORY = "memory ({kind}), which is gone at the next start of the machine or container"
_NETWORK = (
    "a network file system ({kind}), whose locks and syncs SQLite cannot rely on: a journal there "
    "may be damaged"
)
_KINDS = {
    **dict.fromkeys(("overlay", "overlayfs", "aufs", "unionfs", "fuse.fuse-overlayfs"), _LAYER),
    **dict.fromkeys(("tmpfs", "ramfs"), _MEMORY),
    **dict.fromkeys(
        (
            *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs"),
            *("glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "ocfs2"),
            *("fuse.ceph", "fuse.juicefs", "fuse.gcsfuse", "fuse.goofys", "fuse.mountpoint-s3"),
        ),
        _NETWORK,
    ),
}


def weakness(directory: Path, mounts: Path | None = None) -> str | None:
    """Say why what is kept in *directory* may not last; None where nothing speaks against it."""
    kind = file_system(directory, mounts)
    words = _KINDS.get(kind or "")
    return words and f"the data directory lies on {words.format(kind=kind)}"


def file_system(directory: Path, mounts: Path | None = None) -> str | None:
    """Return the type of the file system that *directory*, or what is there of it, lies on."""
    try:
        lines = (
            (mounts or _MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        )
        place = directory.resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return None
    best, kind = -1, None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, types = before.split(" "), after.split(" ")
        if len(fields) < 5 or not types[0]:
            continue
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # What is mounted last over the same place is what is seen.
        if len(point.parts) >= best and place.is_relative_to(point):
            best, kind = len(point.parts), types[0]
    return kind
