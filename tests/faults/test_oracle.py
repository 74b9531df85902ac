"""The oracle sees each way in which delivery can go wrong."""

import json
from collections.abc import Callable

import pytest

from tests.faults.oracle import LaneName, Minted, Oracle
from tests.faults.record import Record, Records

_ANN = LaneName("ann", key="k1", session_id="s1", user_id="ann")
_BOB = LaneName("bob", key="k1", session_id="s2", user_id="bob")


class Wire:
    """What a server would have recorded."""

    def __init__(self) -> None:
        self.records = Records()

    def send(
        self,
        *minted: Minted | str,
        taken: bool = True,
        key: str = "k1",
        session: str = "s1",
        batch: str = "",
    ) -> None:
        """One store request, taken or not."""
        texts = [each if isinstance(each, str) else each.content for each in minted]
        record = Record(
            number=len(self.records),
            connection=1,
            on_connection=1,
            method="POST",
            path="/v1alpha2/mem9s/memories",
            query="",
            headers={"x-api-key": key} | ({"idempotency-key": batch} if batch else {}),
            arrived_at=float(len(self.records)),
        )
        messages = [{"role": "user", "content": text} for text in texts]
        record.read(json.dumps({"messages": messages, "session_id": session}).encode())
        self.records.all.append(record)
        if taken:
            self.records.take(record)


def _acknowledged(oracle: Oracle, lane: LaneName, count: int) -> list[Minted]:
    minted = [oracle.mint(lane) for _ in range(count)]
    for each in minted:
        oracle.acknowledge(each)
    return minted


def test_all_delivered_once_and_in_order_is_clean() -> None:
    """Two lanes, interleaved, without a fault."""
    oracle, wire = Oracle("r1"), Wire()
    a, b = _acknowledged(oracle, _ANN, 3), _acknowledged(oracle, _BOB, 2)
    wire.send(a[0], a[1])
    wire.send(*b, session="s2")
    wire.send(a[2])

    report = oracle.judge(wire.records)

    report.check(duplicates_at_most=0)
    assert (report.acknowledged, report.delivered, report.requests) == (5, 5, 3)


def test_an_unacknowledged_content_may_arrive_or_not() -> None:
    """Nobody was promised anything."""
    oracle, wire = Oracle("r1"), Wire()
    wire.send(oracle.mint(_ANN))
    oracle.mint(_ANN)

    report = oracle.judge(wire.records)

    report.check(duplicates_at_most=0)
    assert report.unacknowledged == 1


def test_a_retry_of_the_same_bytes_is_no_fault() -> None:
    """A refused first attempt and a taken second one make one delivery."""
    oracle, wire = Oracle("r1"), Wire()
    (a,) = _acknowledged(oracle, _ANN, 1)
    wire.send(a, taken=False, batch="b1")
    wire.send(a, batch="b1")

    oracle.judge(wire.records).check(duplicates_at_most=0)


def _lost(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[0])


def _only_refused(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[0])
    wire.send(a[1], taken=False)


def _invented(wire: Wire, a: list[Minted]) -> None:
    wire.send(*a, "nobody said this")


def _changed(wire: Wire, a: list[Minted]) -> None:
    wire.send(*a)
    wire.send(a[0].content + "f")


def _inverted(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[1])
    wire.send(a[0])


def _inverted_in_a_batch(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[1], a[0])


def _wrong_key(wire: Wire, a: list[Minted]) -> None:
    wire.send(*a, key="k2")


def _wrong_session(wire: Wire, a: list[Minted]) -> None:
    wire.send(*a, session="s2")


def _altered(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[0], batch="b1", taken=False)
    wire.send(*a, batch="b1")


def _rebatched(wire: Wire, a: list[Minted]) -> None:
    wire.send(a[0], taken=False)
    wire.send(*a)


def _twice(wire: Wire, a: list[Minted]) -> None:
    wire.send(*a, batch="b1")
    wire.send(*a, batch="b1")


@pytest.mark.parametrize(
    ("wrong", "phrase"),
    [
        (_lost, "1 missing"),
        (_only_refused, "1 missing"),
        (_invented, "1 unknown"),
        (_changed, "1 corrupted"),
        (_inverted, "1 inversions"),
        (_inverted_in_a_batch, "1 inversions"),
        (_wrong_key, "2 misaddressed"),
        (_wrong_session, "2 misaddressed"),
        (_altered, "1 altered, 1 rebatched"),
        (_rebatched, "1 rebatched"),
        (_twice, "2 duplicates, at most 0 allowed"),
    ],
)
def test_each_broken_promise_is_named(
    wrong: Callable[[Wire, list[Minted]], None], phrase: str
) -> None:
    """The check fails and says which promise and how often."""
    oracle, wire = Oracle("r1"), Wire()
    wrong(wire, _acknowledged(oracle, _ANN, 2))

    with pytest.raises(AssertionError, match=f"run r1: {phrase};"):
        oracle.judge(wire.records).check(duplicates_at_most=0)


def test_two_people_in_one_request_are_seen() -> None:
    """Even under one key and without sessions."""
    oracle, wire = Oracle("r1"), Wire()
    ann = LaneName("ann", key="k1", user_id="ann")
    bob = LaneName("bob", key="k1", user_id="bob")
    wire.send(*_acknowledged(oracle, ann, 1), *_acknowledged(oracle, bob, 1), session="")

    assert oracle.judge(wire.records).mixed == 1


def test_a_split_is_allowed_only_where_it_is_expected() -> None:
    """Cut into new batches, every content arrives once."""
    oracle, wire = Oracle("r1"), Wire()
    a = _acknowledged(oracle, _ANN, 2)
    wire.send(*a, taken=False, batch="b1")
    wire.send(a[0], batch="b2")
    wire.send(a[1], batch="b3")
    report = oracle.judge(wire.records)

    report.check(split=True)
    with pytest.raises(AssertionError, match="2 rebatched"):
        report.check()


def test_a_content_refused_for_good_is_not_missing() -> None:
    """Only when the test names it."""
    oracle, wire = Oracle("r1"), Wire()
    a = _acknowledged(oracle, _ANN, 2)
    wire.send(a[0])

    assert oracle.missing(wire.records.arrived) == {a[1].content}
    assert oracle.judge(wire.records, gone=[a[1].content]).missing == 0


def test_a_replayed_dead_letter_may_come_late() -> None:
    """It left the order when it was set aside."""
    oracle, wire = Oracle("r1"), Wire()
    a = _acknowledged(oracle, _ANN, 3)
    wire.send(a[1], a[2])
    wire.send(a[0])

    assert oracle.judge(wire.records).inversions == 1
    assert oracle.judge(wire.records, replayed=[a[0].content]).inversions == 0


def test_no_two_contents_are_equal() -> None:
    """Across lanes and numbers; and another run's are other contents."""
    one, other = Oracle("r1"), Oracle("r2")
    texts = [o.mint(lane).content for o in (one, other) for lane in (_ANN, _BOB) for _ in range(50)]

    assert len(set(texts)) == 200
