"""What the run is observed with is what the plugin keeps."""

from benchmarks.agent_memory import EVENTS, event
from mem9_async.tools.call import Call
from mem9_async.tools.requests.observe import observation_of
from tests.tools.fakes import CREDENTIALS


def test_every_event_is_one_that_is_kept() -> None:
    """An event that is passed over costs no commit: that would not be what is measured."""
    seen = [
        observation_of(Call(event(run, number), CREDENTIALS), max_bytes=49_152)
        for run in (1, 2)
        for number in range(1, EVENTS + 1)
    ]

    assert len({each.job.event_id for each in seen if each.job is not None}) == 2 * EVENTS
    assert len({each.lane for each in seen}) == 2
