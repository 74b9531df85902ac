"""PostgreSQL and Redis for one run: on free ports of this machine, in a folder of their own."""

import asyncio
import os
import pwd
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.host.programs import Programs

_READY_S = 60.0


@dataclass(frozen=True)
class Services:
    """The ports on which they listen."""

    postgres_port: int
    redis_port: int


@asynccontextmanager
async def services(programs: Programs, place: Path) -> AsyncIterator[Services]:
    """Start both; end them afterwards. Raises RuntimeError with their words."""
    found = Services(free_port(), free_port())
    cluster = place / "postgres"
    cluster.mkdir()
    prefix = _unprivileged(cluster)
    bin_ = programs.postgres
    await run(*prefix, str(bin_ / "initdb"), "-A", "trust", "-U", "postgres", "-D", str(cluster))
    options = f"-p {found.postgres_port} -c listen_addresses=127.0.0.1 -k {cluster} -c fsync=off"
    control = (*prefix, str(bin_ / "pg_ctl"), "-D", str(cluster))
    await run(*control, "-w", "-l", str(cluster / "log"), "-o", options, "start")
    redis = await asyncio.create_subprocess_exec(
        str(programs.redis), "--port", str(found.redis_port), "--bind", "127.0.0.1",
        "--save", "", "--appendonly", "no", "--dir", str(place),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await listening(found.redis_port)
        yield found
    finally:
        redis.terminate()
        await redis.wait()
        await run(*control, "-m", "immediate", "stop")


async def run(*command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run to the end; what it said. Raises RuntimeError when it failed."""
    process = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=cwd, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.decode(errors='replace')[-2000:]}")
    return said.decode(errors="replace")


async def listening(port: int, limit_s: float = _READY_S) -> None:
    """Wait until something takes connections there. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


def free_port() -> int:
    """A port of this machine on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unprivileged(folder: Path) -> tuple[str, ...]:
    """PostgreSQL refuses root: then it runs as somebody else, who owns *folder*."""
    if os.geteuid() != 0:
        return ()
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    folder.parent.chmod(0o755)  # a temporary directory of ours, which is closed to others
    return ("setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups")
