"""Spaces and their keys: numbers that hold, keys that are kept no longer than they are needed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mem9_async.models.outcome import ErrorType
from mem9_async.models.space import Space
from mem9_async.queue.journal import Journal, JournalError
from mem9_async.queue.journal.rekeying import Readdress
from mem9_async.queue.records import Park
from mem9_async.queue.sealing import SealBroken
from tests.queue.builders import HOUR_S, KEY, START, failure, job, space
from tests.queue.desk import SEALER, Desk


class _Full(Exception):
    """Something that rolls a transaction back."""


def _rolled_back(desk: Desk, act: Callable[[], object]) -> None:
    def fail() -> None:
        with desk.journal.file.transaction():
            act()
            raise _Full

    with pytest.raises(_Full):
        fail()


def _has_key(desk: Desk, space_id: int) -> bool:
    digest, sealed = desk.journal.file.db.execute(
        "SELECT digest, sealed FROM spaces WHERE space_id = ?", (space_id,)
    ).fetchone()
    return b'"api_key":null' not in SEALER.unseal(sealed, b"space" + digest)


def _space_ids(desk: Desk) -> set[int]:
    return {row[0] for row in desk.journal.file.db.execute("SELECT space_id FROM spaces")}


def _deliver(desk: Desk, lane_id: int) -> None:
    batch = desk.frozen(lane_id)
    desk.journal.delivered(batch.row, redelivered=False)


class _Times:
    """The monotonic clock of the process that holds *desk*."""

    def __init__(self, desk: Desk) -> None:
        self.at = 0.0
        desk.journal.addresses._monotonic = lambda: self.at


@pytest.mark.parametrize("persist_keys", [True, False])
def test_a_number_that_was_rolled_back_is_nobodys(tmp_path: Path, persist_keys: bool) -> None:
    """Another space may get it: jobs of the one never go to the other."""
    desk = Desk(tmp_path / "journal.db", persist_keys=persist_keys)
    addresses = desk.journal.addresses
    before = addresses.know_space(space("known before"))
    lost: list[int] = []
    _rolled_back(desk, lambda: lost.append(addresses.know_space(space("lost"))))

    assert addresses.know_space(space("next")) == lost[0]

    assert addresses.space(lost[0]) == space("next")
    assert addresses.space(before) == space("known before")
    assert addresses.find_space(space("lost")) is None


def test_a_key_is_told_once_when_it_comes(tmp_path: Path) -> None:
    """By a store or by a mere question; not that of a space which was known all along."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    desk.append(job("a"), job("b", key="other"))
    desk.reopen()
    addresses = desk.journal.addresses
    came: list[Space] = []
    addresses.on_key = lambda _, each: came.append(each)
    assert addresses.waiting_for_key() == [1, 2]

    assert addresses.find_space(space()) == 1
    assert addresses.find_space(space()) == 1
    desk.append(job("c", key="other"), job("d", key="new"))
    desk.append(job("e", key="other"), job("f", key="new"))

    assert came == [space(), space("other")]
    assert addresses.waiting_for_key() == []


def test_a_key_that_came_stays_known_when_the_transaction_fails(tmp_path: Path) -> None:
    """Nothing else could bring it back."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    (held,) = desk.append(job("a"))
    desk.reopen()

    _rolled_back(desk, lambda: desk.journal.addresses.know_space(space()))

    assert desk.journal.addresses.space(held.space_id) == space()


def test_keys_that_are_to_be_kept_from_now_on_are_kept_at_their_next_use(tmp_path: Path) -> None:
    """The switch from false to true; a search alone writes nothing."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    (held,) = desk.append(job("a"))
    desk.persist_keys = True
    desk.reopen()

    desk.journal.addresses.find_space(space())
    assert not _has_key(desk, held.space_id)
    assert desk.journal.addresses.lane(held.lane_id).lane is not None
    desk.append(job("b"))
    assert _has_key(desk, held.space_id)
    desk.reopen()
    assert desk.journal.addresses.space(held.space_id) == space()


def test_keys_that_are_not_to_be_kept_any_more_leave_the_disk(tmp_path: Path) -> None:
    """The switch from true to false: what was accepted is still delivered by this process."""
    desk = Desk(tmp_path / "journal.db")
    (held,) = desk.append(job("a"))
    (sealed,) = desk.journal.file.db.execute("SELECT sealed FROM spaces").fetchone()
    desk.persist_keys = False
    desk.reopen()

    desk.journal.addresses.settle_keys()

    assert not _has_key(desk, held.space_id)
    assert sealed not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert desk.frozen(held.lane_id).batch.lane.space == space()
    desk.reopen()
    assert desk.journal.addresses.space(held.space_id) is None


def test_a_damaged_row_is_mended_by_the_call_that_names_its_space(desk: Desk) -> None:
    """Its digest says which space it was."""
    (held,) = desk.append(job("a"))
    desk.journal.file.db.execute("UPDATE spaces SET sealed = x'00'")
    desk.reopen()
    with pytest.raises(SealBroken):
        desk.journal.addresses.space(held.space_id)
    assert desk.journal.addresses.waiting_for_key() == []

    desk.append(job("b"))
    desk.reopen()

    assert desk.journal.addresses.space(held.space_id) == space()


class TestPruning:
    """What nobody needs any more."""

    def test_a_key_leaves_the_disk_an_hour_after_its_last_use(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        """Its bytes too; the number holds for a day, and is no other's afterwards."""
        times = _Times(desk)
        (used,) = desk.append(job("a"))
        (sealed,) = desk.journal.file.db.execute("SELECT sealed FROM spaces").fetchone()
        _deliver(desk, used.lane_id)

        times.at = HOUR_S - 1.0
        assert desk.journal.addresses.prune() == set()
        assert _has_key(desk, used.space_id)
        times.at = HOUR_S
        assert desk.journal.addresses.prune() == set()
        assert not _has_key(desk, used.space_id)
        assert sealed not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        times.at = 24 * HOUR_S - 1.0
        assert desk.journal.addresses.prune() == set()
        times.at = 24 * HOUR_S
        assert desk.journal.addresses.prune() == {used.space_id}

        (again,) = desk.append(job("b"))
        assert again.space_id != used.space_id
        assert _has_key(desk, again.space_id)

    def test_a_space_that_comes_back_has_its_number_and_its_key_again(self, desk: Desk) -> None:
        """Within the day."""
        times = _Times(desk)
        (used,) = desk.append(job("a"))
        _deliver(desk, used.lane_id)
        times.at = 2 * HOUR_S
        desk.journal.addresses.prune()

        (again,) = desk.append(job("b"))

        assert again.space_id == used.space_id
        assert _has_key(desk, used.space_id)

    def test_what_the_last_process_left_without_jobs_goes_at_once(self, desk: Desk) -> None:
        """Jobs and parks keep their spaces, dead letters and their keys included."""
        (empty, waiting, dead) = desk.append(
            job("a", key="empty"), job("b", key="waiting"), job("c", key="dead")
        )
        parked = desk.journal.addresses.know_space(space("parked"))
        outcome = failure(ErrorType.AUTH, status=401)
        desk.journal.parks.put(Park(parked, "auth", START, START, 0, outcome))
        Readdress(desk.journal).note_owner(space("empty"), empty.space_id, "an app")
        _deliver(desk, empty.lane_id)
        desk.journal.bury(desk.frozen(dead.lane_id).row, outcome, now=START)
        desk.reopen()

        assert desk.journal.addresses.prune() == {empty.space_id}

        assert _space_ids(desk) == {waiting.space_id, dead.space_id, parked}
        assert all(_has_key(desk, each) for each in _space_ids(desk))
        owners = desk.journal.file.db.execute("SELECT count(*) FROM owners").fetchone()[0]
        assert owners == 0

    def test_a_second_key_of_an_owner_is_not_taken_for_a_new_one_later(self, desk: Desk) -> None:
        """Two keys side by side: the idle one loses its key, but not since when it is in use."""
        readdress = Readdress(desk.journal)
        (idle,) = desk.append(job("a", key="idle"))
        readdress.note_owner(space("idle"), idle.space_id, "an app")
        _deliver(desk, idle.lane_id)
        (held,) = desk.append(job("b", key="held"))
        readdress.note_owner(space("held"), held.space_id, "an app")
        desk.reopen()

        assert desk.journal.addresses.prune() == set()
        assert not _has_key(desk, idle.space_id)

        desk.append(job("c", key="idle"))
        again = Readdress(desk.journal)
        again.note_owner(space("idle"), idle.space_id, "an app")
        assert again.successor(held.space_id) is None

    def test_owners_of_one_space_are_so_many_and_no_more(self, desk: Desk) -> None:
        """Where no app is named every user is one; the latest stay, and who owns two spaces."""
        readdress = Readdress(desk.journal)
        (one, two) = desk.append(job("a", key="one"), job("b", key="two"))
        readdress.note_owner(space("one"), one.space_id, "of both")
        readdress.note_owner(space("two"), two.space_id, "of both")
        for user in range(1_500):
            readdress.note_owner(space("one"), one.space_id, f"user {user}")

        desk.journal.addresses.prune()

        (kept,) = desk.journal.file.db.execute(
            "SELECT count(*) FROM owners WHERE space_id = ?", (one.space_id,)
        ).fetchone()
        assert kept in (2_000, 2_001)
        both = "SELECT count(*) FROM owners GROUP BY digest HAVING count(*) > 1"
        assert desk.journal.file.db.execute(both).fetchall() == [(2,)]


def test_wiping_is_over_when_it_is_done(tmp_path: Path) -> None:
    """Delivered jobs are removed as the journal was set to remove them."""
    journal = Journal(tmp_path / "journal.db", SEALER)
    for mode in (0, 1, 2):
        journal.file.db.execute(f"PRAGMA secure_delete = {('OFF', 'ON', 'FAST')[mode]}").fetchall()
        journal.addresses.prune()
        assert journal.file.db.execute("PRAGMA secure_delete").fetchone() == (mode,)


def test_the_key_itself_is_never_in_the_file(desk: Desk, tmp_path: Path) -> None:
    """Neither before its removal nor after."""
    (used,) = desk.append(job("a"))
    _deliver(desk, used.lane_id)
    for _ in range(2):
        raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert KEY.encode() not in raw
        desk.reopen()
        desk.journal.addresses.prune()


@pytest.mark.parametrize(
    "act",
    [
        lambda desk: desk.journal.addresses.prune(),
        lambda desk: desk.journal.addresses.settle_keys(),
        lambda desk: desk.retention.expire(START, deadline_s=1.0),
        lambda desk: desk.retention.forget_dead(START, retention_s=1.0, max_bytes=1),
        lambda desk: Readdress(desk.journal).successor(1),
        lambda desk: Readdress(desk.journal).move(1, 1, now=START),
    ],
)
def test_damage_met_while_tidying_is_an_error_of_the_journal(
    tmp_path: Path, act: Callable[[Desk], object]
) -> None:
    """Whoever keeps house knows no other, and goes on."""
    desk = Desk(tmp_path / "journal.db", persist_keys=False)
    desk.append(job("a"))
    desk.journal.close()

    with pytest.raises(JournalError):
        act(desk)


def test_an_app_is_part_of_a_lane_and_none_changes_nothing(tmp_path: Path) -> None:
    """What journals hold already is found under the digest that it has."""
    desk = Desk(tmp_path / "journal.db")
    plain = job("one")
    lane = plain.lane.model_copy(update={"app_id": "shop"})
    (first, second) = desk.append(plain, plain.model_copy(update={"lane": lane}))

    assert "app_id" not in plain.lane.address
    assert first.lane_id != second.lane_id
    assert (first.deduplicated, second.deduplicated) == (False, False)
    desk.journal.addresses.forget()
    known = desk.journal.addresses.lane(second.lane_id)
    assert known.lane == lane
    assert desk.journal.addresses.find_lane(lane) == second.lane_id
    assert desk.frozen(second.lane_id).batch.lane.app_id == "shop"
