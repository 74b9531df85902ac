"""Twenty conversations store facts in bursts; then everything is looked for where it should be."""

import asyncio
import random
import tempfile
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from mem9_async.cli.answers import ToolAnswer
from mem9_async.cli.demo.facts import (
    EARLY_FACT,
    EARLY_QUESTION,
    QUESTIONS,
    Conversation,
    conversations,
)
from mem9_async.cli.demo.found import Found
from mem9_async.cli.demo.progress import Progress
from mem9_async.cli.demo.screen import Screen, screen
from mem9_async.cli.embedded import credentials, embedded_mem9
from mem9_async.cli.host import PluginHost
from mem9_async.devserver.server import DevServer

_ANSWER_DELAY_S = 0.05  # about what a mem9 in the same country takes
_REFRESH_S = 0.15
_DRAIN_LIMIT_S = 25.0
_ARRIVAL_LIMIT_S = 5.0


async def run(root: Path, console: Console, *, seed: int = 9) -> bool:
    """Run the demonstration with the plugin in *root*; True when nothing was lost. Under 60 s."""
    console.print("Starting an embedded mem9 and the plugin, as Dify starts it ...")
    async with embedded_mem9(answer_delay_s=_ANSWER_DELAY_S) as server:
        with tempfile.TemporaryDirectory(prefix="mem9_async_demo_") as folder:
            env = {"MEM9_ASYNC_DATA_DIR": folder, "MEM9_ASYNC_LOG_LEVEL": "debug"}
            progress = Progress()
            async with PluginHost(root, env, on_log=progress.logged) as host:
                demo = _Demo(host, credentials(server), progress, random.Random(seed))  # noqa: S311
                await demo.start()
                with screen(console) as shown:
                    drained = await demo.store_and_drain(shown)
                missing = await lost(progress, server)
                await demo.search(console)
                broken = len(host.lines_not_json)
    _summary(console, progress, missing=missing)
    if broken:
        console.print(f"[red]{broken} line(s) on the plugin's stdout were no JSON object.[/]")
    return drained and not missing and not progress.refused and not broken


class _Demo:
    def __init__(
        self,
        host: PluginHost,
        spelled: dict[str, JsonValue],
        progress: Progress,
        chance: random.Random,
    ) -> None:
        self._host = host
        self._credentials = spelled
        self._progress = progress
        self._chance = chance

    async def start(self) -> None:
        await self._host.started()
        await self._host.validate(self._credentials)

    async def store_and_drain(self, shown: Screen) -> bool:
        """Let everybody talk, then wait until the queue is empty; False if it does not get so."""
        self._progress.begin()
        talk = asyncio.gather(*(self._talk(each) for each in conversations()))
        while not talk.done():
            await self._look(shown)
        await talk
        self._progress.storing = False
        limit_s = self._progress.elapsed_s + _DRAIN_LIMIT_S
        while self._progress.elapsed_s < limit_s:
            await self._look(shown)
            if self._progress.queue.depth == 0:
                return True
        return False

    async def search(self, console: Console) -> None:
        """Ask a few questions and print what came back."""
        if self._progress.early:
            console.print(
                f"\n[bold]{EARLY_QUESTION}[/] (asked right after it was stored)", highlight=False
            )
            console.print(f"  {self._progress.early}", highlight=False)
        for question in QUESTIONS:
            answer = await self._call(
                "memory_search", {"query": question, "limit": 3, "auto_retry": True}
            )
            found = Found.model_validate(answer.json)
            console.print(f"\n[bold]{question}[/]", highlight=False)
            for memory in found.memories:
                console.print(f"  {memory}", highlight=False, markup=False)
            if found.retry_hint:
                console.print(f"  [dim]{found.retry_hint}[/]", highlight=False)

    async def _talk(self, conversation: Conversation) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.5))
        for turn in conversation.turns:
            for fact in turn:
                answer = await self._host.invoke(
                    "memory_store",
                    {"content": fact, "session_id": conversation.conversation_id},
                    self._credentials,
                    user_id=conversation.user_id,
                    conversation_id=conversation.conversation_id,
                )
                self._progress.stored(fact, answer)
                if fact == EARLY_FACT:
                    early = await self._call("memory_search", {"query": EARLY_QUESTION})
                    self._progress.searched_early(fact, early)
            await asyncio.sleep(self._chance.uniform(1.0, 2.0))

    async def _look(self, shown: Screen) -> None:
        self._progress.seen(await self._call("memory_queue", {}))
        shown.show(self._progress)
        await asyncio.sleep(_REFRESH_S)

    async def _call(self, tool: str, parameters: dict[str, JsonValue]) -> ToolAnswer:
        return await self._host.invoke(tool, parameters, self._credentials)


async def lost(
    progress: Progress, server: DevServer, *, limit_s: float = _ARRIVAL_LIMIT_S
) -> list[str]:
    """Return the accepted facts that *server* does not hold; it gets *limit_s* to take them in."""
    limit_s += progress.elapsed_s
    while True:
        held = {memory.content for memory in server.memories}
        missing = [fact for fact in progress.accepted if fact not in held]
        if not missing or progress.elapsed_s > limit_s:
            return missing
        await asyncio.sleep(_REFRESH_S)


def _summary(console: Console, progress: Progress, *, missing: list[str]) -> None:
    stores, requests = len(progress.accepted), progress.requests
    console.print(
        f"\n{stores} stores accepted, answered in {progress.percentile_ms(50):.1f} ms (p50), "
        f"{progress.percentile_ms(99):.1f} ms (p99).\n"
        f"{requests} requests sent to mem9: batching saved {stores - requests}.",
        highlight=False,
    )
    for reason in sorted(set(progress.refused)):
        console.print(f"[red]Refused {progress.refused.count(reason)}: {reason}[/]")
    if missing:
        console.print(f"[red]{len(missing)} accepted facts did not arrive: {missing[:5]}[/]")
    else:
        console.print("[green]Everything accepted was delivered.[/]")
