"""What an answer to a free question proves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from mem9_async.client.capabilities.probes import APP_ID, PROBES, WINDOW, Probe, proves, proving
from mem9_async.models.capability import Capabilities, Feature, Support
from tests.client.builders import answer

LIST: JsonValue = {"memories": [], "total": 0, "limit": 1, "offset": 0}


@pytest.mark.parametrize(
    ("probe", "error"),
    [
        (APP_ID, "appId: too long (max 100)"),
        (WINDOW, "created_after: must be an RFC3339 timestamp"),
    ],
)
def test_only_a_later_mem9_refuses_what_makes_no_sense(probe: Probe, error: str) -> None:
    """In the words that it has for it."""
    assert proves(probe, answer(400, {"error": error})) is Support.YES


@pytest.mark.parametrize("probe", PROBES)
def test_an_older_mem9_passes_over_it_with_a_list(probe: Probe) -> None:
    """An ordinary success."""
    assert proves(probe, answer(200, LIST)) is Support.NO
    assert proves(probe, answer(200, {"memories": None, "total": 0})) is Support.NO


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid API key"}),
        (400, {"error": "bad request: appId: and created_after: are blocked"}),
        (400, b"<html>appId: too long created_after: </html>"),
        (200, b"<html>sign in</html>"),
        (200, {"login": "required"}),
        (200, b'{"memories": ['),
        (404, b"404 page not found\n"),
        (404, {"error": "not found"}),
        (403, b"<html>forbidden</html>"),
        (401, {"error": "missing or malformed X-API-Key"}),
        (402, {"error": "pay"}),
        (414, b""),
        (429, {"error": "rate limit exceeded"}),
        (500, {"error": "appId: too long"}),
        (503, b""),
        (204, b""),
        (302, b""),
    ],
)
def test_nothing_else_proves_anything(probe: Probe, status: int, body: JsonValue | bytes) -> None:
    """A proxy's page, a refused key, a limit, an outage."""
    assert proves(probe, answer(status, body)) is Support.UNKNOWN


def test_half_a_list_proves_nothing() -> None:
    """It was cut off on its way."""
    assert proves(APP_ID, answer(200, LIST, whole=False)) is Support.UNKNOWN


@given(st.integers(100, 599), st.binary(max_size=60))
def test_noise_never_proves_that_a_feature_is_there(status: int, body: bytes) -> None:
    """What protects data is not relied on by accident."""
    assert proves(APP_ID, answer(status, body)) is not Support.YES


YES, NO, UNKNOWN = Support.YES, Support.NO, Support.UNKNOWN


@pytest.mark.parametrize(
    ("app_id", "window", "derived"),
    [
        (YES, YES, YES),
        (YES, NO, NO),
        (NO, UNKNOWN, NO),
        (UNKNOWN, NO, NO),
        (YES, UNKNOWN, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
@pytest.mark.parametrize("feature", [Feature.KEEP_RAW, Feature.KEYWORD, Feature.SORT])
def test_what_has_no_proof_of_its_own_needs_both(
    feature: Feature, app_id: Support, window: Support, derived: Support
) -> None:
    """Which of them a server learnt first is not known."""
    assert Capabilities(app_id, window).of(feature) is derived
    assert proving(feature) == PROBES


@pytest.mark.parametrize("support", list(Support))
def test_what_has_a_proof_follows_it_alone(support: Support) -> None:
    """Whatever the other one says."""
    assert Capabilities(app_id=support).of(Feature.APP_ID) is support
    assert Capabilities(window=support).of(Feature.WINDOW) is support
    assert Capabilities(window=support).of(Feature.RAW_TURNS) is support


def test_a_search_by_meaning_disproves_keyword_and_nothing_else() -> None:
    """The rows had a confidence."""
    known = Capabilities(YES, YES, no_keyword=True)

    assert known.of(Feature.KEYWORD) is NO
    assert known.of(Feature.KEEP_RAW) is YES
