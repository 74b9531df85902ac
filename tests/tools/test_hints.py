"""What a question becomes, and what the model is told to do next."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mem9_async.tools.hints import suggest_queries

ROWS = [
    line.split("\t")
    for line in (Path(__file__).parent / "questions.tsv").read_text("utf-8").splitlines()[1:]
]
_HAN = re.compile(r"[\u4e00-\u9fff]")
# Cut at single blanks, so that a blank piece is drawn too.
WORDS = re.split(
    " ",
    "what's who where when how do did have is my your the user's I you Ana Lúcia favourite coffee "
    "live like of for about and , ? tell me please yesterday \ue000  \n 'x' “Project Falcon” "
    "我 的 什么 喜欢 在哪里 吗 用户 《三体》 "
    "that should never been born than or more Corp. Prof. it , isn't it where used to from "
    "哪个 哪一部 还是 是不是 说过 把 几岁 谁 和 用 住在 ， 这份",
)
questions = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=80)


class TestTable:
    """The table of questions, reviewed by hand."""

    def test_question_becomes_the_statements_in_the_table(self) -> None:
        """Every row's suggestions come in the order given there; some rows have none."""
        wrong = {
            question: (expected, suggested)
            for question, expected in ROWS
            if (suggested := suggest_queries(question))
            != tuple(filter(None, expected.split(" | ")))
        }

        assert wrong == {}

    def test_table_holds_enough_questions_in_each_language(self) -> None:
        """At least sixty in all are asked for; we keep that many of each language."""
        chinese = [row for row in ROWS if _HAN.search(row[0])]

        assert len(chinese) >= 60
        assert len(ROWS) - len(chinese) >= 60
        assert len({row[0] for row in ROWS}) == len(ROWS)

    def test_suggestion_of_a_suggestion_only_gets_shorter(self) -> None:
        """Searching again with what was suggested never wanders off to other words."""
        wrong = [
            (first, again)
            for first in {expected.split(" | ")[0] for _, expected in ROWS}
            for again in suggest_queries(first)
            if len(again) > len(first) or again.casefold() not in first.casefold()
        ]

        assert wrong == []


class TestWithoutSuggestion:
    """Queries that no rule improves."""

    @pytest.mark.parametrize(
        "query",
        [
            *(
                "",
                " ",
                "?",
                "hello",
                "Thanks!",
                "who",
                "what is",
                "my",
                "do you have it",
                "why not?",
            ),
            *("how are you?", "What can you do?", "What did I tell you?", "what is it about?"),
            *("What do you call me?", "How should you address me?", "who is taller?"),
            *("你好", "谢谢", "？", "什么", "吗", "你是谁？", "你能做什么？", "我刚才说了什么？"),
        ],
    )
    def test_query_that_asks_for_nothing_gets_none(self, query: str) -> None:
        """Politeness and question words alone name no fact."""
        assert suggest_queries(query) == ()

    @pytest.mark.parametrize(
        "query",
        ["what do you know about me?", "Do you remember me?", "你知道我什么？", "你还记得我吗？"],
    )
    def test_user_alone_answers_only_a_question_about_the_user(self, query: str) -> None:
        """In every other question the word tells no fact from another."""
        assert suggest_queries(query) in {("user",), ("用户",)}

    @pytest.mark.parametrize(
        "query", ["Berlin", "Ana Lúcia", "user name", "deploy server address", "生日", "XR-7"]
    )
    def test_phrase_that_is_short_already_gets_none(self, query: str) -> None:
        """The query itself is never suggested."""
        assert suggest_queries(query) == ()

    @pytest.mark.parametrize(
        "query",
        [
            "qual é a minha cor favorita?",
            "私の好きな色は何ですか",
            "내가 좋아하는 색은 뭐야?",
            "我最喜歡的顏色是什麼？",
        ],
    )
    def test_language_without_rules_gets_none(self, query: str) -> None:
        """A guess would cost a metered recall."""
        assert suggest_queries(query) == ()

    def test_pasted_document_gets_none(self) -> None:
        """A text of hundreds of characters is no question."""
        assert suggest_queries("What is my name? " * 40) == ()


class TestProperties:
    """What holds for any query."""

    @given(questions)
    def test_suggestions_are_few_distinct_and_not_the_query(self, query: str) -> None:
        """At most three, none blank, none the query itself, and nothing raises."""
        suggestions = suggest_queries(query)

        assert len(suggestions) <= 3
        folded = [suggestion.casefold() for suggestion in suggestions]
        assert len(set(folded)) == len(folded)
        assert " ".join(query.split()).casefold() not in folded
        assert all(suggestion == " ".join(suggestion.split()) for suggestion in suggestions)
        assert all(suggestions)

    @given(questions)
    def test_no_suggestion_asks_or_says_user_alone(self, query: str) -> None:
        """Where a rule left a question word behind, it did not understand the question."""
        assume("“" not in query)  # quoted text may ask whatever it likes
        suggestions = suggest_queries(query)
        words = {word for suggestion in suggestions for word in suggestion.split()}

        assert not [said for said in suggestions if "什么" in said or "哪个" in said]
        assert not {"what", "where", "how"} & words
        assert len(suggestions) < 2 or not {"user", "用户"} & set(suggestions)

    @given(questions)
    def test_suggestion_is_hardly_longer_than_the_query(self, query: str) -> None:
        """Only "user" in place of a pronoun, a verb's ending and a preposition are added."""
        allowed = len(query) + 12 + 5 * len(re.findall(r"\bi\b|\bme\b|\bmy\b|我", query.casefold()))

        assert all(len(suggestion) <= allowed for suggestion in suggest_queries(query))

    @given(st.text(alphabet="abcdefgh XYZ-12'?", min_size=3, max_size=20).map(str.strip))
    def test_quoted_text_is_kept_verbatim(self, passage: str) -> None:
        """Whatever stands in quotation marks is in the first suggestion, mark for mark."""
        passage = " ".join(passage.split())
        assume(any(char.isalnum() for char in passage))
        suggestions = suggest_queries(f'What did I tell you about "{passage}"?')

        assert suggestions
        assert passage.strip("-' ?") in suggestions[0]

    @pytest.mark.parametrize(
        "name", ["Ana Lúcia", "王小明", "Project Falcon", "XR-7", "C++", ".NET"]
    )
    @pytest.mark.parametrize(
        "question",
        [
            "What is the status of {}?",
            "who owns {}?",
            "What did Tom say about {} last week?",
            "Do you remember when I first met {}?",
            "请问{}的状态是什么？",
            "你还记得{}吗？",
        ],
    )
    def test_name_is_in_the_first_suggestion(self, name: str, question: str) -> None:
        """Names are what a fact is found by."""
        suggestions = suggest_queries(question.format(name))

        assert name in suggestions[0]

    def test_relative_time_is_never_in_the_first_of_several(self) -> None:
        """mem9 appends the date to such a query, and its keyword search then finds nothing."""
        assert suggest_queries("What did I eat yesterday?")[0] == "user ate"
        assert suggest_queries("我昨天吃了什么？")[0] == "用户吃了"

    @pytest.mark.parametrize(
        "filler", [",", "，", "的", "and ", "what ", "我", "'", '"', "是什么", " I"]
    )
    def test_hostile_repetition_is_read_at_once(self, filler: str) -> None:
        """No pattern takes more than a moment on the longest query that is read."""
        query = "what is " + filler * (390 // len(filler))
        start = time.perf_counter()
        suggest_queries(query[:400])

        assert time.perf_counter() - start < 1.0
