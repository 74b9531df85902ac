"""What mem9 says about quotas reaches the next answer, once, and delays none."""

import asyncio
from functools import partial

import pytest
from pydantic import JsonValue

from tests.host.conftest import Stage
from tests.host.process import credentials, eventually, until
from tests.host.scripted import Reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

_NEARLY_FULL: JsonValue = {
    "mem9ApiKey": {"status": "active"},
    "meters": [
        {
            "meter": "memory_recall_requests",
            "budgets": [{"type": "includedQuota", "state": "warning", "usage": {"percent": 96}}],
        }
    ],
}


async def test_the_runtime_state_is_asked_once_in_the_background_and_told_once(
    stage: Stage,
) -> None:
    """Ten searches while the route is still thinking; then one notice, in one answer."""
    name, thinks_s = "state", 3.0
    stage.mem9.states[name] = Reply(200, Reply.json(200, _NEARLY_FULL).body, delay_s=thinks_s)
    keys = credentials(stage.mem9.base_url(name), "sk-state")
    await stage.host.invoke("memory_store", {"content": "User likes tea", "wait": True}, keys)
    searches = [
        stage.host.invoke("memory_search", {"query": f"tea {number}"}, keys) for number in range(10)
    ]
    for answer in await asyncio.gather(*searches):
        assert answer.json["ok"] is True
        assert "message" not in answer.json
        assert answer.elapsed_s < thinks_s

    async def search() -> JsonValue:
        return (await stage.host.invoke("memory_search", {"query": "tea"}, keys)).json.get(
            "message"
        )

    told = await until(search, bool)
    assert "96%" in str(told)
    assert await search() is None
    asked = stage.mem9.of_state(name)
    assert [(request.method, request.key) for request in asked] == [("GET", "sk-state")]


async def test_a_mem9_without_the_route_is_asked_once_and_nothing_is_told(stage: Stage) -> None:
    """Older servers answer 404: no notice, no error, no second question."""
    name = "stateless"
    keys = credentials(stage.mem9.base_url(name), "sk-stateless")
    await stage.host.invoke("memory_store", {"content": "User likes tea", "wait": True}, keys)
    for number in range(3):
        answer = await stage.host.invoke("memory_search", {"query": f"tea {number}"}, keys)
        assert answer.json["ok"] is True
        assert "message" not in answer.json
        await eventually(lambda: len(stage.mem9.of_state(name)) == 1)

    assert len(stage.mem9.of_state(name)) == 1


async def test_the_same_notice_is_told_once_in_a_quarter_of_an_hour(stage: Stage) -> None:
    """However often mem9 repeats it in the background; it is the next answer that tells it."""
    name = "repeats"
    taken = Reply.json(202, {"status": "accepted", "message": "80% of the quota is used."})
    keys = credentials(stage.mem9.base_url(name, taken), "sk-repeats")
    told = []
    for number in range(5):
        answer = await stage.host.invoke("memory_store", {"content": f"Fact {number}"}, keys)
        told.append(answer.json.get("message"))
        job_id = answer.json["job_id"]
        await until(partial(state_of, stage, keys, job_id), "delivered".__eq__)

    assert told == [None, "80% of the quota is used.", None, None, None]


async def state_of(stage: Stage, keys: dict[str, JsonValue], job_id: JsonValue) -> JsonValue:
    """Where a job is."""
    answer = await stage.host.invoke("memory_queue", {"job_id": job_id}, keys)
    job = answer.json["job"]
    assert isinstance(job, dict)
    return job["state"]


async def test_a_denied_store_is_told_by_every_next_answer_until_mem9_takes_it(
    stage: Stage,
) -> None:
    """With how many are held, whom to tell, and the link once; then it is over."""
    link = "https://console.mem9.ai/console/claim?key=example"
    denial = Reply.json(
        402,
        {
            "error": "Included quota is exhausted.",
            "details": {
                "errorCategory": "runtime_quota_denied",
                "runtimeQuota": {
                    "meter": "memory_write_requests",
                    "recommendedAction": {
                        "type": "openUrl",
                        "providerActionCode": "claimApiKey",
                        "url": link,
                    },
                },
            },
        },
    )
    name = "denies"
    keys = credentials(stage.mem9.base_url(name, denial), "sk-denies")

    async def store(number: int) -> dict[str, JsonValue]:
        parameters = {"content": f"Fact {number}"}
        return (await stage.host.invoke("memory_store", parameters, keys)).json

    async def queue(action: str = "status") -> dict[str, JsonValue]:
        return (await stage.host.invoke("memory_queue", {"action": action}, keys)).json

    assert "delivery" not in await store(0)
    await until(queue, lambda answer: "delivery" in answer)
    for number in (1, 2):
        delivery = (await store(number))["delivery"]
        assert isinstance(delivery, dict)
        assert (delivery["state"], delivery["held"]) == ("parked", number + 1)
        assert str(delivery["user_message"]).count(link) == 1
        assert delivery["action_url"] == link

    stage.mem9.answer(name)
    assert (await queue("flush"))["affected"] is not None
    done = await until(queue, lambda answer: answer["delivered"] == 3)
    assert "delivery" not in done
    assert "delivery" not in await store(3)


@pytest.mark.parametrize("use", ["search", "store"])
async def test_a_space_that_only_searches_or_only_stores_learns_of_its_usage_too(
    stage: Stage, use: str
) -> None:
    """A workflow that does one thing only hears of an inactive key as well."""
    name = f"only-{use}"
    stage.mem9.states[name] = Reply.json(200, {"mem9ApiKey": {"status": "inactive"}, "meters": []})
    keys = credentials(stage.mem9.base_url(name), f"sk-only-{use}")
    numbers = iter(range(1_000))

    async def told() -> JsonValue:
        text = f"tea {next(numbers)}"
        parameters: dict[str, JsonValue] = {"query" if use == "search" else "content": text}
        return (await stage.host.invoke(f"memory_{use}", parameters, keys)).json.get("message")

    assert "inactive" in str(await until(told, bool))
    assert await told() is None
    assert len(stage.mem9.of_state(name)) == 1


async def test_usage_told_with_every_answer_is_shown_once_and_keeps_nothing_else_back(
    stage: Stage,
) -> None:
    """Three searches with the same usage state; what the route said waits for an answer."""
    name = "usage"
    stage.mem9.states[name] = Reply.json(200, {"mem9ApiKey": {"status": "inactive"}, "meters": []})
    found: JsonValue = {
        "memories": [],
        "total": 0,
        "limit": 30,
        "offset": 0,
        "runtimeState": _NEARLY_FULL,
    }
    keys = credentials(stage.mem9.base_url(name, Reply.json(200, found)), "sk-usage")

    async def told() -> str:
        answer = await stage.host.invoke("memory_search", {"query": "tea"}, keys)
        return str(answer.json.get("message", ""))

    first = await told()
    assert "96%" in first
    rest = [await told()]
    await eventually(lambda: len(stage.mem9.of_state(name)) == 1)
    rest += [await told() for _ in range(5)]
    assert not any("96%" in each for each in rest)
    assert sum("inactive" in each for each in [first, *rest]) == 1
