"""What an agent pays for an answer: its JSON, beside that of mem9's own plugin."""

import json

from mem9_async.models.memory import Memory, SearchQuery, SearchResult
from mem9_async.tools import caller
from mem9_async.tools.answers import search
from tests.tools.answers.test_message_lines import store_answer
from tests.tools.fakes import call

#: The original's answers to the same calls; its sentence is as long as this one.
_SENTENCE = "x" * 159
_STORE = {"ok": True, "status": "accepted", "accepted": True, "searchable_now": False,
          "session_id": "conv-1", "hint": _SENTENCE}  # fmt: skip


def _length(answer: object) -> int:
    return len(json.dumps(answer, ensure_ascii=False))


def test_a_store_is_at_most_three_tenths_longer() -> None:
    """With the id of the job and how the queue stands."""
    ours = store_answer().as_json()

    assert _length(ours) <= 1.3 * _length({**_STORE, "session_id": ours["session_id"]})


def test_a_search_with_ten_memories_is_at_most_a_third_longer() -> None:
    """With the id of each, to read, change or delete it by."""
    memories = tuple(
        Memory(
            id=f"0b5f9c1e-7d52-4f0e-9a77-{number:012d}",
            content=f"User prefers the {number}th of the ten ways to say what is remembered",
            memory_type="insight",
            confidence=91 - number,
            score=0.61,
            relative_age="3 days ago",
            created_at="2026-11-01T00:00:00Z",
            updated_at="2026-11-01T00:00:00Z",
            agent_id="dify",
            session_id="0b5f9c1e-7d52-4f0e-9a77-3d2f1b9e8c11",
        )
        for number in range(10)
    )
    query = SearchQuery(space=caller.read(call()).space, caller_agent_id="dify", query="what")
    result = SearchResult(effective_query="what", memories=memories, available=10)
    original = {
        "ok": True, "effective_query": "what", "session_scoped": False, "session_id": None,
        "available_result_count": 10, "result_count": 10, "total": 10,
        "memories": [
            {"content": each.content, "confidence": each.confidence, "score": each.score,
             "memory_type": each.memory_type, "relative_age": each.relative_age}
            for each in memories
        ],
    }  # fmt: skip

    ours = search.found(query, result).as_json()

    assert _length(ours) <= 1.35 * _length(original)
