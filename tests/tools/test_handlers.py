"""What the tools ask of the backend, above all where callers are kept apart."""

import pytest

from mem9_async.models.errors import InvalidRequest, NotFound, VersionConflict
from mem9_async.models.memory import Memory
from mem9_async.tools import caller, handlers

from .fakes import FakeBackend, call

OWN = caller.read(call(isolation="per_user")).agent_id


def backend(**owners: str | None) -> FakeBackend:
    """Return a backend that holds one memory for each id, of the agent named."""
    made = FakeBackend()
    made.memories = {
        memory_id: Memory(id=memory_id, content="c", agent_id=owner)
        for memory_id, owner in owners.items()
    }
    return made


class TestIsolated:
    """A caller that is kept apart."""

    def test_gets_its_own_memory(self) -> None:
        """Stored under the derived agent id."""
        answer = handlers.get(call({"memory_id": "m1"}, isolation="per_user"), backend(m1=OWN))

        assert answer.ok is True

    @pytest.mark.parametrize("owner", ["dify", None, "dify-u-0000000000000000"])
    def test_does_not_get_anothers(self, owner: str | None) -> None:
        """In the words of an id that does not exist."""
        with pytest.raises(NotFound):
            handlers.get(call({"memory_id": "m1"}, isolation="per_user"), backend(m1=owner))

    def test_does_not_change_anothers(self) -> None:
        """Looked up before anything is written."""
        held = backend(m1="dify")

        with pytest.raises(NotFound):
            handlers.update(call({"memory_id": "m1", "content": "x"}, isolation="per_user"), held)

        assert held.changes == []

    def test_deletes_only_its_own(self) -> None:
        """The rest counts as asked for and not deleted."""
        held = backend(m1=OWN, m2="dify")

        answer = handlers.delete(call({"memory_ids": "m1,m2,m3"}, isolation="per_user"), held)

        assert held.deleted == [("m1",)]
        assert (answer.requested, answer.deleted) == (3, 1)

    def test_deletes_nothing_when_none_is_its_own(self) -> None:
        """No request leaves; the answer is that to an unknown id in a shared space."""
        held = backend(m2="dify")

        answer = handlers.delete(call({"memory_ids": "m2"}, isolation="per_user"), held)

        assert held.deleted == []
        assert answer == handlers.delete(call({"memory_ids": "m9"}), backend())
        assert (answer.ok, answer.deleted) == (True, 0)

    def test_lists_only_its_own(self) -> None:
        """The filter is the derived agent id."""
        held = backend()

        handlers.list_memories(call(isolation="per_user"), held)

        assert held.pages[0].agent_id == OWN

    def test_stores_and_searches_under_one_id(self) -> None:
        """Otherwise nobody would find what they stored."""
        held = backend()

        handlers.store(call({"content": "x"}, isolation="per_user"), held)
        handlers.search(call({"query": "x"}, isolation="per_user"), held)

        assert held.jobs[0].lane.agent_id == held.searches[0][0].agent_id == OWN


class TestShared:
    """A caller that shares the space."""

    def test_gets_any_memory_of_the_space(self) -> None:
        """As mem9's own plugin would."""
        assert handlers.get(call({"memory_id": "m1"}), backend(m1="other")).ok is True

    def test_a_conflict_names_the_version_in_the_way(self) -> None:
        """So that the caller can read it again."""
        held = backend(m1="dify")
        held.error = VersionConflict("It changed meanwhile.", actual=5)

        answer = handlers.update(call({"memory_id": "m1", "content": "x", "version": 4}), held)

        assert (answer.ok, answer.code, answer.actual_version) == (False, "version_conflict", 5)


class TestPerApp:
    """A caller whose app is kept apart."""

    @pytest.mark.parametrize(("owner", "seen"), [("app-1", True), ("app-2", False), (None, False)])
    def test_gets_its_own_apps_memories_alone(self, owner: str | None, seen: bool) -> None:
        """mem9 itself shows anybody's by the id, and an older one has no apps."""
        held = backend()
        held.memories = {"m1": Memory(id="m1", content="c", agent_id="other", app_id=owner)}
        asked = call({"memory_id": "m1"}, isolation="per_app", app_id="app-1")

        if seen:
            assert handlers.get(asked, held).ok
        else:
            with pytest.raises(NotFound):
                handlers.get(asked, held)

    def test_changes_and_deletes_no_other_apps(self) -> None:
        """Looked up first."""
        held = backend()
        held.memories = {
            "m1": Memory(id="m1", content="c", app_id="app-1"),
            "m2": Memory(id="m2", content="c", app_id="app-2"),
        }
        own = {"isolation": "per_app", "app_id": "app-1"}

        answer = handlers.delete(call({"memory_ids": "m1,m2"}, **own), held)
        with pytest.raises(NotFound):
            handlers.update(call({"memory_id": "m2", "content": "x"}, **own), held)

        assert (answer.requested, answer.deleted) == (2, 1)
        assert held.deleted == [("m1",)]
        assert held.changes == []

    def test_stores_searches_and_lists_in_one_app(self) -> None:
        """Also what is pinned: mem9 keeps the app of it."""
        held = backend()
        own = {"isolation": "per_app", "app_id": "app-1"}

        handlers.store(call({"content": "c", "pinned": True}, **own), held)
        handlers.search(call({"query": "c"}, **own), held)
        handlers.list_memories(call({}, **own), held)

        assert held.jobs[0].lane.app_id == "app-1"
        assert held.searches[0][0].app_id == "app-1"
        assert held.pages[0].app_id == "app-1"

    def test_chooses_no_other_app(self) -> None:
        """A node's parameter does not get round it."""
        own = {"isolation": "per_app", "app_id": "app-1"}
        for work, parameters in (
            (handlers.store, {"content": "c"}),
            (handlers.search, {"query": "c"}),
            (handlers.list_memories, {}),
        ):
            with pytest.raises(InvalidRequest) as refused:
                work(call({**parameters, "app_id": "app-2"}, **own), backend())
            assert refused.value.code == "app_id_not_allowed"
            work(call({**parameters, "app_id": "app-1"}, **own), backend())
