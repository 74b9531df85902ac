"""How many facts a store may give, in any script."""

import pytest

from mem9_async.models.job import Message, Pinned, Turn
from mem9_async.queue.facts import expected_facts


@pytest.mark.parametrize(
    ("texts", "facts"),
    [
        (["I row."], 1),
        (["I row. I keep bees! Do I sing?"], 3),
        (["no end"], 1),
        (["Version 3.12 is out, see a.b.c"], 1),
        (["我住在杭州。我喜欢喝茶！你呢？"], 3),
        (["紅茶が好きです。犬がいます。"], 2),
        (["मैं दिल्ली में रहता हूँ। मुझे चाय पसंद है।"], 2),
        (["- milk\n- bread\n\n- tea"], 3),
        (["One. " * 40], 12),
        (["I row.", "I keep bees. And hens."], 3),
        ([""], 1),
    ],
)
def test_sentences_of_users_are_counted(texts: list[str], facts: int) -> None:
    """The larger of messages and sentences, at most twelve a message."""
    messages = [Message(role="user", content=text) for text in texts]
    answer = Message(role="assistant", content="Noted. Both. All.")

    assert expected_facts(Turn(messages=(*messages, answer))) == facts


def test_a_pinned_memory_is_one() -> None:
    """It is kept as it is."""
    assert expected_facts(Pinned(content="One. Two. Three.")) == 1
