"""Every fault of the outcome table is answered as tabled, by the real plugin process."""

from pathlib import Path

import pytest

from tests.faults import scripts
from tests.faults.catalogue import FAULTS, SUCCESSES
from tests.faults.drain import until
from tests.faults.matrix import SETTINGS, Phase, cells, run_matrix
from tests.faults.oracle import LaneName, Oracle
from tests.faults.plugin import Plugin
from tests.faults.server import FaultServer


@pytest.mark.parametrize("phase", list(Phase))
async def test_each_fault_is_answered_as_tabled(tmp_path: Path, phase: Phase) -> None:
    """Right error type, right move, nothing lost, same bytes again; the plugin lives on."""
    done = await run_matrix(cells(FAULTS, [phase]), tmp_path)

    assert {cell.name: cell.problems for cell in done if cell.problems} == {}


async def test_each_form_of_success_delivers_at_once(tmp_path: Path) -> None:
    """Other builds of mem9 word it differently, or drop the connection afterwards."""
    oracle = Oracle("success")
    async with FaultServer() as server, Plugin(tmp_path, server.url, settings=SETTINGS) as plugin:
        await plugin.host.started()
        for number, script in enumerate([*SUCCESSES, scripts.accept()]):
            server.script(script)
            minted = oracle.mint(LaneName(f"lane-{number}", f"key-{number}", f"session-{number}"))
            answer = await plugin.store(minted)
            assert answer.job_id is not None
            oracle.acknowledge(minted, answer.job_id)
            assert await until(lambda text=minted.content: text in server.records.arrived, 5.0)  # type: ignore[misc]

        report = oracle.judge(server.records.stores())
        report.check(duplicates_at_most=0)
        assert report.requests == len(SUCCESSES) + 1
