"""`python -m mem9_async serve`: the embedded mem9 in the foreground."""

import asyncio
import signal
from pathlib import Path

from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.server import DevServer


async def serve_forever(
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    key: str | None = None,
    *,
    flavour: Flavour,
    ingest_delay_s: float = 0.0,
    answer_delay_s: float = 0.0,
    conflicts: bool = False,
    rate_limit_rps: float | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; say on stdout where, with which key, and how to ask.

    Waits for the signal. Raises UnusableDataFile, OSError when the address is taken,
    ValueError for a bad key. Run it with uvloop.
    """
    server = DevServer(
        data=data,
        database=flavour.database,
        llm=flavour.llm,
        embedder=flavour.embedder,
        server=flavour.server,
        key=key,
        ingest_delay_s=ingest_delay_s,
        answer_delay_s=answer_delay_s,
        conflicts=conflicts,
        rate_limit_rps=rate_limit_rps,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await server.start(host, port)
    try:
        print(greeting(server, data=data, flavour=flavour), flush=True)
        await stop.wait()
    finally:
        await server.aclose()


def greeting(server: DevServer, *, data: Path | None, flavour: Flavour) -> str:
    """What a person needs in order to use a server that has just started."""
    kept = f"kept in {data}" if data else "in memory, gone when it ends"
    facts = "what a user states becomes one" if flavour.llm else "none from messages (--no-llm)"
    found = "the whole query in the text" + (
        ", or alike in words" if flavour.embedder else " (--no-embedder)"
    )
    memories = f"{server.base_url}/v1alpha2/mem9s/memories"
    return "\n".join(
        (
            f"Embedded mem9 listens on {server.base_url}",
            f"API key   {server.key}",
            f"Data      {kept}",
            f"Facts     {facts}",
            f"Recall    {found}",
            "Try",
            f"  curl -H 'X-API-Key: {server.key}' -H 'X-Mnemo-Agent-Id: dify' {memories} \\",
            """    -d '{"messages": [{"role": "user", "content": "I take tea with milk."}]}'""",
            f"  curl -H 'X-API-Key: {server.key}' '{memories}?q=tea'",
            "Ctrl+C ends it.",
        )
    )
