"""The embedded mem9 answers as the real ones that were recorded."""

import pytest

from tests.comparison import __main__ as comparison
from tests.comparison.answers import Answer
from tests.comparison.differences import KNOWN, between
from tests.comparison.exchanges import ALL


@pytest.mark.parametrize("name", comparison.FLAVOURS)
async def test_nothing_is_answered_otherwise_but_what_is_known(name: str) -> None:
    """Status, content type, fields, values and order; all that is recorded was asked."""
    real = comparison.recorded(name)
    embedded = await comparison.of_embedded(comparison.FLAVOURS[name])

    assert list(real) == [each.name for each in ALL]
    assert [each for each in between(real, embedded) if each.why is None] == []


def test_a_known_difference_is_one_that_is_there() -> None:
    """A list of excuses shrinks when what it excuses is gone."""
    assert set(KNOWN) <= {each.name for each in ALL}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"status": 500}, "status"),
        ({"kind": "text/plain"}, "kind"),
        ({"body": {"memories": [{"a": 1}], "total": 1}}, "body"),
        ({"body": {"memories": [{"b": 2}, {"a": 1}], "total": 1}}, "body"),
        ({"body": {"memories": [{"a": 1}, {"b": 2}], "total": 1, "more": None}}, "body"),
    ],
)
def test_every_kind_of_difference_is_seen(change: dict[str, object], what: str) -> None:
    """With the first place in which they differ."""
    body = {"memories": [{"a": 1}, {"b": 2}], "total": 1}
    real = Answer(status=200, kind="application/json", body=body)
    (found,) = between({"one": real}, {"one": real.model_copy(update=change)})

    assert (found.what, found.real == found.embedded) == (what, False)
    assert list(between({"one": real}, {"one": real})) == []


def test_without_a_key_it_says_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked."""
    monkeypatch.delenv("MEM9_API_KEY", raising=False)
    monkeypatch.setattr("sys.argv", ["comparison", "--server", "http://127.0.0.1:9"])

    assert comparison.main() == 2
    assert "KEY=" in capsys.readouterr().out
