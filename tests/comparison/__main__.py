"""`python -m tests.comparison`: a mem9 and the embedded one, or the answers of a recorded one."""

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter

from mem9_async.devserver.flavour import Flavour
from mem9_async.devserver.server import DevServer
from tests.comparison.answers import Answer, Asking
from tests.comparison.differences import Difference, between
from tests.comparison.exchanges import ALL

RECORDED = Path(__file__).parent / "recorded"
FLAVOURS: Mapping[str, Flavour] = {
    "postgres": Flavour("postgres"),
    "postgres-no-models": Flavour("postgres", llm=False, embedder=False),
}
_FILE = TypeAdapter(dict[str, Answer])


async def of_embedded(flavour: Flavour) -> dict[str, Answer]:
    """The answers of an embedded mem9 of that flavour, empty at first."""
    async with DevServer(
        database=flavour.database, llm=flavour.llm, embedder=flavour.embedder, server="old"
    ) as server:
        return await Asking(server.base_url, server.key, flavour.llm).everything(ALL)


def recorded(name: str) -> dict[str, Answer]:
    """The answers of a real mem9 as they were recorded."""
    return _FILE.validate_json((RECORDED / f"{name}.json").read_bytes())


def main() -> int:
    """Print the table; 1 where a difference is not known, 2 without a key."""
    parser = argparse.ArgumentParser(prog="make mem9", description=__doc__)
    parser.add_argument("--server", help="base URL of a mem9 of yours; without: the recordings")
    parser.add_argument("--flavour", choices=FLAVOURS, help="what is behind --server")
    parser.add_argument("--record", action="store_true", help="keep its answers as the recording")
    given = parser.parse_args()
    key = os.environ.get("MEM9_API_KEY", "")
    if given.server and not key:
        print("Give a key of that mem9: make mem9 SERVER=http://... KEY=...")
        return 2
    unknown = 0
    for name in [given.flavour or "postgres"] if given.server else FLAVOURS:
        real = recorded(name) if not given.server else None
        if real is None:
            asking = Asking(given.server.rstrip("/"), key, FLAVOURS[name].llm)
            real = asyncio.run(asking.everything(ALL))
        if given.record and given.server:
            kept = json.dumps(_FILE.dump_python(real), indent=1, ensure_ascii=False)
            (RECORDED / f"{name}.json").write_text(kept + "\n")
        found = list(between(real, asyncio.run(of_embedded(FLAVOURS[name]))))
        unknown += sum(each.why is None for each in found)
        _print(name, len(real), found)
    return 1 if unknown else 0


def _print(name: str, asked: int, found: list[Difference]) -> None:
    print(f"{name}: {asked} requests, {asked - len(found)} answered alike, {len(found)} otherwise")
    for each in found:
        print(f"  {'known' if each.why else 'OTHERWISE'}  {each.name} ({each.what})")
        print(f"      mem9      {each.real}\n      embedded  {each.embedded}")
        if each.why:
            print(f"      {each.why}")


if __name__ == "__main__":
    raise SystemExit(main())
