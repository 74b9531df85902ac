"""Keys, tenants in the path, routes, and the order in which they are judged."""

import dataclasses

import pytest

from mem9_async.devserver.server import DevServer
from tests.devserver.caller import Caller


@pytest.mark.parametrize("key", ["", "   "])
async def test_a_missing_or_blank_key_is_400(api: Caller, key: str) -> None:
    """The key is trimmed before it is looked for."""
    answer = await dataclasses.replace(api, key=key).find(limit=1)

    assert (answer.status, answer.error) == (400, "missing API key")


@pytest.mark.parametrize("key", ["nobody", "chain_nobody"])
async def test_an_unknown_key_is_400_and_not_401(api: Caller, key: str) -> None:
    """Plain and chain keys look the same."""
    answer = await dataclasses.replace(api, key=key).find(limit=1)

    assert (answer.status, answer.error) == (400, "invalid API key")


async def test_a_key_is_trimmed(api: Caller) -> None:
    """White space around a key does no harm."""
    assert (await dataclasses.replace(api, key=f"  {api.key} ").find()).status == 200


async def test_a_suspended_space_answers_differently_on_each_version(
    api: Caller, server: DevServer
) -> None:
    """400 by key, 403 by path, `inactive` by status."""
    server.set_status(api.key, "suspended")
    by_path = dataclasses.replace(api, version="v1alpha1")

    assert (await api.find()).error == "invalid API key"
    assert ((await by_path.find()).status, (await by_path.find()).error) == (
        403,
        "tenant is not active",
    )
    assert (await api.ask("GET", "/v1alpha2/status")).body == {"status": "inactive"}


async def test_an_unknown_tenant_in_the_path_is_404(api: Caller) -> None:
    """v1alpha1 needs no key and says what is missing."""
    answer = await dataclasses.replace(api, version="v1alpha1", key="nobody").find()

    assert (answer.status, answer.error) == (404, "tenant not found")


async def test_a_provisioned_tenant_works_at_once_on_both_versions(api: Caller) -> None:
    """The id is the key."""
    answer = await api.ask("POST", "/v1alpha1/mem9s", params={"utm_source": "docs", "x": "y"})
    assert answer.status == 201
    newcomer = dataclasses.replace(api, key=answer.body["id"])

    for version in ("v1alpha1", "v1alpha2"):
        assert (await dataclasses.replace(newcomer, version=version).find()).body == {
            "memories": [],
            "total": 0,
            "limit": 10,
            "offset": 0,
        }


async def test_spaces_do_not_see_each_other(api: Caller, server: DevServer) -> None:
    """Neither lists, nor searches, nor ids cross."""
    await api.say("The harbour is green.", sync=True)
    (memory,) = (await api.find()).body["memories"]
    other = dataclasses.replace(api, key=server.provision())

    assert (await other.find()).body["total"] == 0
    assert (await other.find(q="harbour")).body["total"] == 0
    for method in ("GET", "PUT", "DELETE"):
        assert (await other.ask(method, f"memories/{memory['id']}", {})).status == 404


@pytest.mark.parametrize(
    ("key", "status", "body"),
    [
        (None, 200, {"status": "active"}),
        ("", 401, {"error": "missing or malformed X-API-Key"}),
        ("nobody", 404, {"error": "key not found"}),
        ("chain_nobody", 404, {"error": "key not found"}),
    ],
)
async def test_the_status_route_splits_what_data_routes_lump_together(
    api: Caller, key: str | None, status: int, body: dict[str, str]
) -> None:
    """An unknown key is told apart from none and from a good one."""
    caller = api if key is None else dataclasses.replace(api, key=key)
    answer = await caller.ask("GET", "/v1alpha2/status")

    assert (answer.status, answer.body) == (status, body)


async def test_a_deleted_space_is_unknown(api: Caller, server: DevServer) -> None:
    """Its key is as good as none ever given out."""
    server.set_status(api.key, "deleted")

    assert (await api.ask("GET", "/v1alpha2/status")).status == 404
    assert (await api.find()).error == "invalid API key"


async def test_health_and_version_need_no_key(api: Caller) -> None:
    """They answer about the process alone."""
    stranger = dataclasses.replace(api, key="")
    version = await stranger.ask("GET", "/versionz")

    assert (await stranger.ask("GET", "/healthz")).body == {"status": "ok"}
    assert version.status == 200
    assert set(version.body) == {"go_version", "started_at"}
    assert version.body["started_at"].endswith("Z")
    assert "mnemo_" in (await stranger.ask("GET", "/metrics")).text


async def test_errors_are_json_with_a_newline_and_no_charset(api: Caller) -> None:
    """Byte for byte what a strict client may expect."""
    answer = await dataclasses.replace(api, key="").find()

    assert answer.text == '{"error":"missing API key"}\n'
    assert answer.headers["Content-Type"] == "application/json"


async def test_an_unknown_route_is_plain_text_404(api: Caller) -> None:
    """No JSON there."""
    answer = await api.ask("GET", "/v1/nothing")

    assert (answer.status, answer.text) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_below_a_space_the_key_is_judged_before_the_path(api: Caller) -> None:
    """An unknown path is 400 to a stranger, 404 to a friend."""
    stranger = dataclasses.replace(api, key="")

    assert (await stranger.ask("GET", "unheard-of")).status == 400
    assert (await api.ask("GET", "unheard-of")).text == "404 page not found\n"


async def test_a_wrong_method_is_405_with_allow_and_no_body(api: Caller) -> None:
    """The header names one that would have worked."""
    answer = await api.ask("PATCH", "memories")

    assert (answer.status, answer.text) == (405, "")
    assert answer.headers["Allow"] == "GET"


async def test_batch_delete_exists_on_v1alpha2_only(api: Caller) -> None:
    """On v1alpha1 the word is taken for an id, and ids take no POST."""
    by_path = dataclasses.replace(api, version="v1alpha1")

    assert (await by_path.ask("POST", "memories/batch-delete", {"ids": ["x"]})).status == 405
    assert (await api.ask("POST", "memories/batch-delete", {"ids": ["x"]})).status == 200
