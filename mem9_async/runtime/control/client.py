"""Asking a running process over its control socket."""

import asyncio
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, JsonValue
from pydantic_core import from_json

from mem9_async.models.inspection import Request
from mem9_async.runtime.control.address import reachable

_ANSWER_MOST = 64 * 1024 * 1024
CONNECT_S = 5.0


class NobodyThere(Exception):
    """The socket's process is gone."""


class NotDone(Exception):
    """The process refused; the text says what to do."""


async def ask(path: Path, request: Request, *, timeout_s: float = 60.0) -> JsonValue:
    """Ask the process at *path*; its result.

    Raises NobodyThere (a socket without a process is removed), NotDone, TimeoutError.
    """
    try:
        with reachable(path) as address:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(address, limit=_ANSWER_MOST)
    except (ConnectionRefusedError, FileNotFoundError) as exc:
        _remove(path)
        raise NobodyThere(path.stem) from exc
    except OSError as exc:
        raise NotDone(f"the control socket cannot be used: {exc.strerror}") from exc
    try:
        async with asyncio.timeout(timeout_s):
            writer.write(_line(request))
            await writer.drain()
            answer = await reader.readline()
    except OSError as exc:
        raise NobodyThere(path.stem) from exc
    finally:
        writer.close()
    if not answer:
        raise NobodyThere(path.stem)
    told = from_json(answer)
    if not told.get("ok"):
        raise NotDone(str(told.get("error")))
    result: JsonValue = told["result"]
    return result


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _line(request: BaseModel) -> bytes:
    return request.model_dump_json(exclude_defaults=False).encode() + b"\n"
