"""The load is real: plugin processes, a server that answers, and only answered calls counted."""

import itertools

import pytest
from pydantic import JsonValue

from benchmarks.__main__ import ROOT, stub_mem9
from benchmarks.load import SESSIONS, measure, searches, stores
from mem9_async.cli.answers import PluginRefused
from mem9_async.cli.host import PluginHost


def test_every_call_asks_for_something_else() -> None:
    """Equal stores are taken once and equal searches share a request: that is not the load."""
    some = list(itertools.islice(stores(), 1000))

    assert len({each["content"] for each in some}) == 1000
    assert len({each["session_id"] for each in some}) == SESSIONS
    assert len({each["query"] for each in itertools.islice(searches(), 1000)}) == 1000


async def test_the_synchronous_plugin_stores_and_searches_on_the_stub() -> None:
    """It is what ours is compared with, so it has to work; without a server its calls fail."""
    folder = ROOT / "benchmarks/synchronous"
    async with stub_mem9() as bases, PluginHost(folder, provider="bench_synchronous") as host:
        await host.started()
        for tool, calls in (("memory_store", stores()), ("memory_search", searches())):
            sample = await measure(
                host,
                tool,
                calls,
                {"mem9_base_url": bases[0], "mem9_api_key": "sk"},
                callers=4,
                warm_s=0.1,
                measured_s=0.4,
            )
            assert sample.rate > 0
            assert 0 < sample.p50_s <= sample.p99_s
        nobody: dict[str, JsonValue] = {"mem9_base_url": "http://127.0.0.1:9", "mem9_api_key": "sk"}
        with pytest.raises(ExceptionGroup) as failed:
            await measure(host, "memory_store", stores(), nobody, callers=1, warm_s=0, measured_s=1)

    assert failed.group_contains(PluginRefused)
