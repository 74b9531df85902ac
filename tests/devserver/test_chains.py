"""Several spaces behind one key."""

import dataclasses
from typing import Any

import pytest

from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller

CHAINS = "/v1alpha2/space-chains"


@dataclasses.dataclass(frozen=True)
class Chain:
    """A chain over two spaces, with a caller for each."""

    id: str
    binding_id: str
    caller: Caller
    first: Caller
    second: Caller

    @property
    def path(self) -> str:
        """Where it is managed."""
        return f"{CHAINS}/{self.id}"


@pytest.fixture
async def empty(api: Caller, server: DevServer) -> Chain:
    """A chain without spaces."""
    created = await api.ask("POST", CHAINS, {"name": " Team ", "project_id": "p"})
    assert created.status == 201
    assert created.body["chain"]["name"] == "Team"
    assert created.body["key_prefix"] == "chain_"
    key = created.body["chain_api_key"]
    assert created.body["key_preview"] == key[:12] + "..."
    return Chain(
        created.body["chain"]["id"],
        created.body["binding_id"],
        dataclasses.replace(api, key=key),
        api,
        dataclasses.replace(api, key=server.provision()),
    )


@pytest.fixture
async def chain(empty: Chain) -> Chain:
    """A chain over two spaces."""
    nodes = [
        {"tenant_id": empty.first.key, "external_space_id": "one", "display_name": "One"},
        {"tenant_id": empty.second.key},
    ]
    answer = await empty.caller.ask("PUT", empty.path + "/nodes", {"nodes": nodes})
    assert [node["position"] for node in answer.body["nodes"]] == [0, 1]
    return empty


def _source(chain: Chain, position: int) -> dict[str, Any]:
    if position == 0:
        return {
            "chain_id": chain.id,
            "node_position": 0,
            "tenant_id": chain.first.key,
            "external_space_id": "one",
        }
    return {"chain_id": chain.id, "node_position": 1, "tenant_id": chain.second.key}


async def test_an_empty_chain_refuses_data_clearly(empty: Chain) -> None:
    """Its key is active all the same."""
    answer = await empty.caller.store(content="x")

    assert (answer.status, answer.error) == (400, "Space Chain has no nodes.")
    assert (await empty.caller.ask("GET", "/v1alpha2/status")).body == {"status": "active"}


async def test_a_chain_is_found_by_its_key_and_by_its_id(chain: Chain) -> None:
    """With its nodes and keys."""
    by_key = await chain.caller.ask("GET", CHAINS + "/by-key")
    by_id = await chain.caller.ask("GET", chain.path)
    bindings = await chain.caller.ask("GET", chain.path + "/bindings")

    assert by_key.body == by_id.body
    assert by_key.body["id"] == chain.id
    assert [node["tenant_id"] for node in by_key.body["nodes"]] == [
        chain.first.key,
        chain.second.key,
    ]
    assert bindings.body["bindings"][0]["id"] == chain.binding_id
    assert bindings.body["bindings"][0]["chain_api_key"] == chain.caller.key


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([{"tenant_id": "a"}, {"tenant_id": "a"}], "duplicate tenant_id"),
        ([{"tenant_id": " "}], "tenant_id required"),
        ([{"tenant_id": "chain_x"}], "chain nodes must be spaces, not Space Chains"),
        (
            [
                {"tenant_id": "a", "external_space_id": "x"},
                {"tenant_id": "b", "external_space_id": "x"},
            ],
            "duplicate external_space_id",
        ),
    ],
)
async def test_impossible_nodes_are_refused_and_change_nothing(
    chain: Chain, nodes: list[dict[str, str]], problem: str
) -> None:
    """The old nodes stay."""
    answer = await chain.caller.ask("PUT", chain.path + "/nodes", {"nodes": nodes})

    assert (answer.status, answer.error) == (400, f"nodes: {problem}")
    assert len((await chain.caller.ask("GET", chain.path + "/nodes")).body["nodes"]) == 2


async def test_management_needs_a_key_of_that_chain(chain: Chain) -> None:
    """401 without a chain key, 404 with another chain's."""
    other = await chain.first.ask("POST", CHAINS, {"name": "other"})
    stranger = dataclasses.replace(chain.caller, key=other.body["chain_api_key"])

    assert (await chain.first.ask("GET", chain.path)).status == 401
    assert (await stranger.ask("GET", chain.path)).error == "space chain not found"
    assert (await chain.caller.ask("POST", CHAINS, {"name": " "})).error == "name: required"


async def test_writes_go_to_the_first_space_and_reads_say_where_from(chain: Chain) -> None:
    """A list is merged by age, its total is the sum."""
    await chain.caller.store(content="from the chain", sync=True)
    await chain.second.store(content="from the second", sync=True)
    answer = await chain.caller.find()

    assert (await chain.first.find()).contents == ["from the chain"]
    assert answer.body["total"] == 2
    sources = {m["content"]: m["chain_source"] for m in answer.body["memories"]}
    assert sources == {
        "from the chain": _source(chain, 0),
        "from the second": _source(chain, 1),
    }
    assert len((await chain.caller.find(limit=1, offset=1)).contents) == 1


async def test_a_recall_stops_at_a_good_score_unless_told_to_scan_all(chain: Chain) -> None:
    """Only what the vector leg alone found has a score; several types go by it as well."""
    both = {"memory_type": "insight,pinned"}
    await chain.first.store(content="green tea", sync=True)
    await chain.second.store(content="green coffee", sync=True)

    assert (await chain.caller.find(q="tea green", **both)).contents == ["green tea"]
    scanned = await chain.caller.find(q="tea green", scanAll="true", **both)
    assert set(scanned.contents) == {"green tea", "green coffee"}
    unsure = await chain.caller.find(q="green coffee beans roast colombia", **both)
    assert unsure.contents == ["green coffee", "green tea"]


async def test_ids_are_searched_in_every_space(chain: Chain) -> None:
    """Get, put and delete say where; deleted twice is 404 through a chain."""
    await chain.second.store(content="far away", sync=True)
    (memory,) = (await chain.second.find()).body["memories"]
    path = f"memories/{memory['id']}"

    for method in ("GET", "PUT"):
        answer = await chain.caller.ask(method, path, {})
        assert answer.body["chain_source"] == _source(chain, 1)
    assert (await chain.caller.ask("DELETE", path)).status == 204
    assert (await chain.caller.ask("DELETE", path)).status == 404


async def test_batch_delete_and_session_messages_cover_every_space(chain: Chain) -> None:
    """Each message says where it is from."""
    await chain.first.say("one", session_id="s", sync=True)
    await chain.second.say("two", session_id="s", sync=True)
    raw = await chain.caller.ask("GET", "session-messages", params={"session_id": "s"})
    ids = [memory["id"] for memory in (await chain.caller.find()).body["memories"]]

    positions = [m["chain_source"]["node_position"] for m in raw.body["messages"]]
    assert sorted(positions) == [0, 1]
    answer = await chain.caller.ask("POST", "memories/batch-delete", {"ids": ids})
    assert answer.body == {"deleted": 2}


async def test_a_lost_space_makes_the_chain_unavailable(chain: Chain, server: DevServer) -> None:
    """503, not an empty answer."""
    server.set_status(chain.second.key, "suspended")
    answer = await chain.caller.find()

    assert (answer.status, answer.error) == (503, "chain node tenant unavailable")


async def test_keys_can_be_added_and_disabled_but_not_the_last(chain: Chain) -> None:
    """A disabled key is inactive and opens nothing."""
    added = await chain.caller.ask("POST", chain.path + "/bindings", {})
    assert added.status == 201
    second = dataclasses.replace(chain.caller, key=added.body["chain_api_key"])
    off = await second.ask("PATCH", f"{chain.path}/bindings/{chain.binding_id}", {"disabled": True})
    assert off.status == 204

    assert (await chain.caller.find()).error == "invalid API key"
    assert (await chain.caller.ask("GET", "/v1alpha2/status")).body == {"status": "inactive"}
    last = f"{chain.path}/bindings/{added.body['id']}"
    assert (await second.ask("PATCH", last, {"disabled": False})).error == "disabled: must be true"
    assert (await second.ask("PATCH", last, {"disabled": True})).status == 400
    assert (await second.ask("PATCH", chain.path + "/bindings/x", {"disabled": True})).status == 404


async def test_a_deleted_chain_leaves_its_spaces(chain: Chain) -> None:
    """Its key is inactive; what it wrote stays where it was written."""
    await chain.caller.store(content="stays", sync=True)
    renamed = await chain.caller.ask("PATCH", chain.path, {"name": "New"})
    assert renamed.body["name"] == "New"

    assert (await chain.caller.ask("DELETE", chain.path)).status == 204
    assert (await chain.caller.ask("GET", "/v1alpha2/status")).body == {"status": "inactive"}
    assert (await chain.caller.find()).error == "invalid API key"
    assert (await chain.first.find()).contents == ["stays"]
