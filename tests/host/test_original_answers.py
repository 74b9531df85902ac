"""mem9's own plugin and ours, case by case: its answers, its requests, found in ours."""

import re

import pytest
from pydantic import JsonValue

from mem9_async.cli.answers import PluginRefused
from tests.faults.server import RefusedPort
from tests.host.conftest import Stage
from tests.host.process import credentials, until
from tests.host.scripted import Asked
from tests.host.sidebyside import Case, Said, Sent, cases, differences, links

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = "original"
NEIGHBOURS = "neighbours"


def of(tool: str) -> list[Case]:
    """The recorded cases of *tool*, and their neighbours."""
    return cases(RECORDED, tool) + cases(NEIGHBOURS, tool)


STORES = of("memory_store")
#: What mem9 took or did not take, as opposed to calls that never come so far.
DECIDED = [case for case in STORES if case.mem9 is not None]
KEY = "sk-key"


OUTAGE = "mem9 cannot check keys at present"
#: Where the original says more than is so: mem9 narrows raw turns alone to a session, and without
#: a confidence its scores are not of one scale. What ours says instead, of the same answer.
TRUER: dict[str, dict[str, JsonValue]] = {
    "within a session": {"session_scoped": False},
    "session padded": {"session_scoped": False},
    "odd numbers": {"memories": ["memory 2", "memory 1", "memory 3"]},
    "one score in two is low": {"memories": ["memory 1", "memory 2"]},
    # The status route says that the key is good: an outage of mem9's, and no word about the key.
    "refused key": {"error": OUTAGE},
    "search: plain 400": {"error": OUTAGE},
    # A 200 says that mem9 has worked on a turn, not that it kept anything of it.
    "confirmed by the server": {"searchable_now": False},
}


def wanted(case: Case) -> dict[str, JsonValue]:
    """What of the original's answer ours has to hold: all that is so."""
    truer = TRUER.get(case.name, {})
    return {name: value for name, value in case.answer.items() if name not in truer}


class Setting:
    """A base URL of its own for one case, and what was asked there."""

    def __init__(self, stage: Stage, case: Case, run: str) -> None:
        self.stage = stage
        self.case = case
        self.name = re.sub(r"[^a-z0-9]+", "-", f"{run} {case.name}".lower())

    def credentials(self) -> dict[str, JsonValue]:
        """The case's credentials over the defaults of a single space; null means: not stored."""
        if self.case.mem9 == "refused":
            with RefusedPort() as refused:
                url = refused.url
        else:
            said = self.case.mem9
            replies = [said.reply] if isinstance(said, Said) else []
            url = self.stage.mem9.base_url(self.name, *replies)
        own = {**credentials(url, KEY), **self.case.credentials}
        return {name: value for name, value in own.items() if value is not None}

    @property
    def asked(self) -> list[Asked]:
        """What mem9 was asked."""
        return list(self.stage.mem9.of_memories(self.name))

    def check_request(self) -> None:
        """Compare the first request with the recorded one."""
        if self.case.request is None:
            assert self.asked == []
            return
        asked = self.asked[0]
        sent = Sent(
            method=asked.method, key=asked.key or "", body=asked.json, query=dict(asked.query)
        )
        assert sent == self.case.request


async def test_no_case_is_left_out() -> None:
    """What was recorded is 56 cases, and each has a test below."""
    tools = ("memory_store", "memory_search", "validate")
    assert sum(len(cases(RECORDED, tool)) for tool in tools) == 56
    assert sum(len(cases(NEIGHBOURS, tool)) for tool in tools) >= 80


@pytest.mark.parametrize("case", STORES, ids=str)
async def test_a_store_that_waits_answers_what_the_original_answers(
    stage: Stage, case: Case
) -> None:
    """At top level, refusals and denials included; and the same request is sent."""
    setting = Setting(stage, case, "waits")
    answer = await stage.host.invoke(
        "memory_store", {**case.parameters, "wait": True}, setting.credentials()
    )

    assert differences(wanted(case), answer.json) == []
    setting.check_request()


@pytest.mark.parametrize("case", [case for case in DECIDED if case.ok], ids=str)
async def test_a_store_that_does_not_wait_is_accepted_and_sends_the_same(
    stage: Stage, case: Case
) -> None:
    """It cannot know yet what mem9 says; a notice comes with the next answer, once."""
    setting = Setting(stage, case, "quick")
    keys = setting.credentials()
    first = (await stage.host.invoke("memory_store", case.parameters, keys)).json
    news = case.answer.get("message")
    told = {name: value for name, value in case.answer.items() if name != "message"}
    told |= {"status": "accepted", "searchable_now": False}
    assert differences(told, first) == []
    assert str(first["hint"])

    job_id = str(first["job_id"])
    await until(lambda: job_state(stage, job_id, keys, case), lambda state: state == "delivered")
    setting.check_request()
    stage.mem9.answer(setting.name)
    again = {**case.parameters, "content": "User prefers tea"}
    second = (await stage.host.invoke("memory_store", again, keys)).json
    assert differences({"message": news} if news else {}, second) == []
    third = (await stage.host.invoke("memory_store", again, keys)).json
    assert "message" not in third


@pytest.mark.parametrize("case", [case for case in DECIDED if not case.ok], ids=str)
async def test_what_mem9_denied_is_told_by_the_next_answer(stage: Stage, case: Case) -> None:
    """Under `delivery`, with how many jobs are held or set aside; the call itself was accepted."""
    setting = Setting(stage, case, "next")
    keys = setting.credentials()
    first = (await stage.host.invoke("memory_store", case.parameters, keys)).json
    assert first["ok"] is True
    assert "delivery" not in first

    await until(lambda: is_told(stage, keys, case), bool)
    later = {**case.parameters, "content": "User prefers tea"}
    second = (await stage.host.invoke("memory_store", later, keys)).json
    assert second["ok"] is True
    delivery = second["delivery"]
    assert isinstance(delivery, dict)
    assert differences(wanted(case), delivery, "delivery") == []
    assert (delivery["held"], delivery.get("dead", 0)) in ((2, 0), (1, 1))


@pytest.mark.parametrize("case", of("memory_search"), ids=str)
async def test_a_search_answers_what_the_original_answers(stage: Stage, case: Case) -> None:
    """Memories in its order, notices, hints and failures; and the same request is sent."""
    setting = Setting(stage, case, "search")
    answer = await stage.host.invoke("memory_search", case.parameters, setting.credentials())

    truer = TRUER.get(case.name, {})
    assert differences(wanted(case), answer.json) == []
    if "error" in truer:
        assert str(truer["error"]) in str(answer.json["error"])
    if "memories" in truer:
        memories = answer.json["memories"]
        assert isinstance(memories, list)
        assert [each["content"] for each in memories if isinstance(each, dict)] == truer["memories"]
    assert answer.json.get("session_scoped") == truer.get(
        "session_scoped", case.answer.get("session_scoped")
    )
    if case.ok and "retry_hint" not in case.answer:
        assert "retry_hint" not in answer.json
    setting.check_request()


@pytest.mark.parametrize("case", of("validate"), ids=str)
async def test_credentials_are_taken_and_refused_as_the_original_does(
    stage: Stage, case: Case
) -> None:
    """With the same class of error and the same links, each once."""
    setting = Setting(stage, case, "validate")
    keys = setting.credentials()
    if case.answer.get("accepted"):
        await stage.host.validate(keys)
    else:
        with pytest.raises(PluginRefused) as refused:
            await stage.host.validate(keys)
        assert refused.value.error_type == case.answer["refused"]
        assert links(refused.value.message) == case.answer["links"]
        assert KEY not in refused.value.message
    setting.check_request()


async def job_state(stage: Stage, job_id: str, keys: dict[str, JsonValue], case: Case) -> JsonValue:
    """Where the job is."""
    question = {"job_id": job_id, "api_key": case.parameters.get("api_key")}
    job = (await stage.host.invoke("memory_queue", question, keys)).json["job"]
    assert isinstance(job, dict)
    return job["state"]


async def is_told(stage: Stage, keys: dict[str, JsonValue], case: Case) -> bool:
    """Whether the queue has something to tell about the space."""
    question = {"api_key": case.parameters.get("api_key")}
    return "delivery" in (await stage.host.invoke("memory_queue", question, keys)).json
