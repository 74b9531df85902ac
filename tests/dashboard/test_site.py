"""The page: what it shows, escapes, asks before it acts, and refuses."""

import re
from dataclasses import replace

import pytest

from mem9_async.dashboard.door import COOKIE, Door
from mem9_async.dashboard.exchange import PageRequest, PageResponse
from mem9_async.dashboard.site import ANSWER_MOST_BYTES, Change, Hold, Site
from mem9_async.dashboard.view import Figure, Line, Parked, View
from mem9_async.models.inspection import Changed, JobFilter, JobRow
from mem9_async.models.job import JobState

SECRET = "a long secret"
EVIL = "<script>alert(1)</script>\"'&\r\nSet-Cookie: a=b"


def _job(number: int, **more: object) -> JobRow:
    fields: dict[str, object] = {
        "job_id": f"{number:032x}",
        "state": "dead",
        "lane": "0123abcd",
        "space": "89ef4567",
        "age_s": 5.0,
        "bytes": 10,
        "attempts": 1,
    }
    return JobRow.model_validate({**fields, **more})


class Shown:
    """A backend that shows what it is given, and notes what is done."""

    def __init__(self, view: View) -> None:
        self.told = view
        self.asked: list[tuple[JobFilter, str | None, int]] = []
        self.done: list[object] = []

    async def view(self, filter_: JobFilter, *, after: str | None, limit: int) -> View:
        """The view, cut to the limit."""
        self.asked.append((filter_, after, limit))
        return replace(self.told, jobs=self.told.jobs[:limit])

    async def count(self, filter_: JobFilter) -> int:
        """Seven."""
        return 7

    async def change(self, do: Change, filter_: JobFilter) -> Changed:
        """Note it."""
        self.done.append((do, filter_))
        return Changed(affected=7)

    async def hold(self, do: Hold, space: str | None) -> bool:
        """Note it."""
        self.done.append((do, space))
        return True


@pytest.fixture
def backend() -> Shown:
    """Everything that can be shown, each text as evil as it gets."""
    return Shown(
        View(
            state="degraded",
            sentences=(EVIL,),
            figures=(Figure("Dead letters", "3", bad=True),),
            processes=((EVIL, "1", "ok", "2", "process"),),
            parked=(Parked("89ef4567", EVIL, "3 s", "4 s", 5),),
            dead=((EVIL, 3),),
            charts=(Line("Depth", "", (1.0, None, 3.0)),),
            jobs=(_job(1, error_type=EVIL, reference=EVIL), _job(2)),
            more=f"{2:032x}",
            problems=(EVIL,),
        )
    )


def _site(backend: Shown, secret: str | None = None) -> Site:
    door = Door(secret, key=b"the key of this page")
    return Site(backend, door, cookie_path="/e/hook/", secure=False)


def _token(page: PageResponse) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', page.body)
    assert found
    return found[1]


async def _post(site: Site, **form: str) -> PageResponse:
    token = _token(await site.respond(PageRequest("GET")))
    return await site.respond(PageRequest("POST", form={"token": token, **form}))


async def test_everything_is_shown_and_everything_is_escaped(backend: Shown) -> None:
    """Under a policy that allows nothing but what this very answer carries."""
    page = await _site(backend).respond(PageRequest("GET"))

    assert page.status == 200
    assert "alert(1)" in page.body
    assert "<script>alert" not in page.body
    assert page.body.count("<script nonce=") == 1
    nonce = re.search(r'script nonce="([^"]+)"', page.body)
    assert nonce
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'nonce-{nonce[1]}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    again = await _site(backend).respond(PageRequest("GET"))
    assert again.headers["Content-Security-Policy"] != policy
    for told in ("degraded", "Dead letters", "89ef4567", "Depth over the last hour", f"{2:032x}"):
        assert told in page.body


async def test_a_filter_is_understood_kept_and_carried_into_every_form(backend: Shown) -> None:
    """Also by the link to older jobs."""
    site = _site(backend)
    query = {"state": "dead", "space": "89ef4567", "reference": 'run "1"&<', "older_than": "60"}
    page = await site.respond(PageRequest("GET", query={**query, "after": f"{9:032x}"}))

    ((asked, after, _),) = backend.asked
    assert asked == JobFilter(
        states=(JobState.DEAD,), space="89ef4567", reference='run "1"&<', older_than_s=60.0
    )
    assert after == f"{9:032x}"
    assert page.body.count('name="space" value="89ef4567"') >= 3
    assert f"reference=run+%221%22%26%3C&amp;older_than=60&amp;after={2:032x}" in page.body


@pytest.mark.parametrize(
    "query", [{"state": "lost"}, {"older_than": "soon"}, {"older_than": "-1"}, {"job": "x"}]
)
async def test_nonsense_in_the_address_is_told(backend: Shown, query: dict[str, str]) -> None:
    """Nothing is filtered, and nothing breaks."""
    page = await _site(backend).respond(PageRequest("GET", query={**query, "after": "../x"}))

    assert page.status == 200
    assert "nothing was filtered" in page.body
    assert backend.asked[0][:2] == (JobFilter(), None)


async def test_nothing_is_done_before_it_is_confirmed(backend: Shown) -> None:
    """The question says how many; the answer leads back to the filter."""
    site = _site(backend)
    asked = await _post(site, do="discard", state="dead")
    assert "7 job(s) match" in asked.body
    assert backend.done == []

    done = await _post(site, do="discard", state="dead", sure="yes")
    assert backend.done == [("discard", JobFilter(states=(JobState.DEAD,)))]
    assert (done.status, done.headers["Location"]) == (303, "?state=dead&done=discard&of=7")
    told = await site.respond(PageRequest("GET", query={"done": "discard", "of": "7"}))
    assert "7 job(s) discarded." in told.body


async def test_only_dead_letters_are_sent_again(backend: Shown) -> None:
    """Whatever state the filter names."""
    await _post(_site(backend), do="retry", space="89ef4567", sure="yes")

    assert backend.done == [("retry", JobFilter(space="89ef4567", states=(JobState.DEAD,)))]


async def test_a_space_is_held_and_let_go(backend: Shown) -> None:
    """Or everything."""
    site = _site(backend)
    held = await _post(site, do="pause", hold_space="89ef4567", state="dead")
    await _post(site, do="resume")

    assert backend.done == [("pause", "89ef4567"), ("resume", None)]
    assert held.headers["Location"] == "?state=dead&done=pause&of=89ef4567"


@pytest.mark.parametrize("form", [{}, {"token": "0" * 64}, {"token": "ü"}])
async def test_a_form_from_elsewhere_is_refused(backend: Shown, form: dict[str, str]) -> None:
    """Without the page's token nothing is done."""
    request = PageRequest("POST", form={**form, "do": "discard", "sure": "yes", "state": "dead"})
    answer = await _site(backend).respond(request)

    assert (answer.status, backend.done) == (403, [])


@pytest.mark.parametrize("form", [{"do": "rm"}, {}, {"do": "discard", "state": "lost"}])
async def test_an_unknown_deed_is_refused(backend: Shown, form: dict[str, str]) -> None:
    """Or one whose filter cannot be read: it would hit everything."""
    answer = await _post(_site(backend), **form, sure="yes")

    assert (answer.status, backend.done) == (400, [])


@pytest.mark.parametrize("said", [EVIL, "\r\nX: y", "9" * 5000, "<b>"])
async def test_the_address_puts_no_words_into_our_mouth(backend: Shown, said: str) -> None:
    """And no header into an answer."""
    site = _site(backend)
    page = await site.respond(PageRequest("GET", query={"done": "retry", "of": said}))
    assert 'role="status"' not in page.body or said.isdigit()
    answer = await _post(site, do="pause", hold_space=said, reference=said)

    for value in answer.headers.values():
        assert "\r" not in value
        assert "\n" not in value


async def test_without_the_secret_nothing_is_shown_or_done(backend: Shown) -> None:
    """Not with a wrong one either; the right one leads in, once the cookie is there."""
    site = _site(backend, SECRET)
    assert (await site.respond(PageRequest("GET"))).status == 401
    wrong = await site.respond(PageRequest("POST", form={"do": "login", "secret": "guess"}))
    assert wrong.status == 401
    undone = await site.respond(PageRequest("POST", form={"do": "discard", "sure": "yes"}))
    assert (undone.status, backend.done, backend.asked) == (401, [], [])

    let_in = await site.respond(PageRequest("POST", form={"do": "login", "secret": SECRET}))
    cookie = let_in.headers["Set-Cookie"]
    assert let_in.status == 303
    for needed in ("Path=/e/hook/", "HttpOnly", "SameSite=Strict"):
        assert needed in cookie
    value = cookie.partition("=")[2].partition(";")[0]
    page = await site.respond(PageRequest("GET", cookies={COOKIE: value}))
    assert page.status == 200


async def test_guessing_shuts_the_door(backend: Shown) -> None:
    """Five times a minute, and then 429."""
    site = _site(backend, SECRET)
    guess = PageRequest("POST", form={"do": "login", "secret": "guess"})
    statuses = [(await site.respond(guess)).status for _ in range(7)]

    assert statuses == [401, 401, 401, 401, 429, 429, 429]
    assert (
        await site.respond(PageRequest("POST", form={"do": "login", "secret": SECRET}))
    ).status == 429


async def test_an_answer_stays_small(backend: Shown) -> None:
    """Fewer jobs are shown where they are long."""
    long = tuple(_job(number, reference="x" * 200, error_type="&" * 2_000) for number in range(100))
    backend.told = replace(backend.told, jobs=long)
    page = await _site(backend).respond(PageRequest("GET"))

    assert len(page.body.encode()) < ANSWER_MOST_BYTES
    assert 1 <= page.body.count("x" * 200) < 100


async def test_other_methods_are_refused(backend: Shown) -> None:
    """405."""
    assert (await _site(backend).respond(PageRequest("DELETE"))).status == 405
