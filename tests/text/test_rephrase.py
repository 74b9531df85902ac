"""Which phrases a question becomes, and how many facts they reach."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem9_async.text.rephrase import suggest_queries


@dataclass(frozen=True)
class Pair:
    """A question, and the fact that answers it in the words in which mem9 keeps facts."""

    language: str
    question: str
    fact: str

    def is_reached(self) -> bool:
        """Whether a suggestion stands in the fact: how mem9's keyword search looks."""
        fact = self.fact.casefold()
        return any(each.casefold() in fact for each in suggest_queries(self.question))


def read(name: str) -> list[Pair]:
    """Return the pairs of a table that lies beside this file."""
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()[1:]
    return [Pair(*line.split("\t")) for line in lines]


PAIRS = read("pairs.tsv")
# Written before the rules; while those were made, only its score was looked at, never a row.
HELD_BACK = read("held_back.tsv")

# Cut at single blanks, so that a blank piece is drawn too.
WORDS = re.split(
    " ",
    "what's who where when how do does did I my the user's you Ana Lúcia XR-7 favourite coffee "
    "live like of for about and , ? ( ) please yesterday May may .NET C++ & -- 'x' \"Project "
    "Falcon\" “x Ana's  \n 我 的 什么 喜欢 在哪里 吗 用户 《三体》 妈妈 Wi-Fi 密码 私の 名前 は 何 "
    "ですか 食べ物 eu moro onde não ¿Cuál es yo vivo favorita 나의 좋아하는 색은 où habite ich "
    "wohne живу ชื่อ 🐶",
)
QUERIES = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=120)


def folded(text: str) -> str:
    """Return *text* as two queries are compared."""
    return " ".join(text.split()).casefold()


def reach(pairs: list[Pair], language: str) -> float:
    """Return the share of the language's pairs that are reached."""
    reached = [pair.is_reached() for pair in pairs if pair.language == language]
    return sum(reached) / len(reached)


class TestReach:
    """How often one of the suggestions finds the fact that answers the question."""

    @pytest.mark.parametrize(
        ("language", "floor"),
        [("en", 0.90), ("zh", 0.90), ("ja", 0.90), ("pt", 0.85), ("es", 0.90)],
    )
    def test_suggestions_reach_facts_of_the_table(self, language: str, floor: float) -> None:
        """In each language; what is not reached is worded otherwise by mem9."""
        assert reach(PAIRS, language) >= floor

    @pytest.mark.parametrize(
        ("language", "floor"),
        [("en", 0.85), ("zh", 0.80), ("ja", 0.85), ("pt", 0.75), ("es", 0.75)],
    )
    def test_suggestions_reach_facts_that_no_rule_was_made_for(
        self, language: str, floor: float
    ) -> None:
        """The rules hold beyond the table they were made with."""
        assert reach(HELD_BACK, language) >= floor

    def test_tables_are_long_apart_and_need_suggestions(self) -> None:
        """No question finds its fact as it stands, and none is in both tables."""
        questions = [folded(pair.question) for pair in PAIRS + HELD_BACK]

        assert len(PAIRS) >= 150
        assert len(HELD_BACK) >= 60
        assert len(set(questions)) == len(questions)
        for pair in PAIRS + HELD_BACK:
            assert folded(pair.question) not in folded(pair.fact)


class TestRows:
    """Questions whose suggestions people have come to expect."""

    @pytest.mark.parametrize(
        ("question", "suggestions"),
        [
            (
                "What is the user's favourite editor?",
                "user's favourite editor | favourite editor | editor",
            ),
            ("what's my name?", "name"),
            ("Where does Ana Lúcia live?", "Ana Lúcia | live | Lúcia"),
            ("What is Ana Lúcia's email?", "Ana Lúcia's email | Ana Lúcia | Lúcia's email"),
            ("What is my sister's birthday?", "sister's birthday | birthday | sister"),
            ("Do I like oat milk?", "oat milk | like | milk"),
            ("What happens on 12 May?", "12 May | happens | May"),
            ("我最喜欢的编辑器是什么？", "最喜欢的编辑器 | 编辑器 | 编辑"),
            ("我住在哪里？", "住在"),
            ("我对什么过敏？", "过敏"),
            ("家里的 Wi-Fi 密码是什么？", "家里的 Wi-Fi 密码 | 密码 | Wi-Fi"),
            ("我最喜歡的顏色是什麼？", "最喜歡的顏色 | 顏色 | 最喜歡"),
            ("我的地址是什么？", "地址"),
            ("明天的会议室是哪个？", "会议室 | 会议"),
            ("我怕什么动物？", "动物 | 怕"),
            ("我能不能吃海鲜？", "吃海鲜 | 海鲜"),
            ("我现在用哪款手机？", "手机 | 用"),
            ("娘の誕生日はいつ？", "娘の誕生日 | 誕生日 | 娘"),
            ("苦手な食べ物は何？", "苦手な食べ物 | 食べ物 | 苦手"),
            ("Onde eu moro?", "mora | more"),
            ("Qual é a minha cor favorita?", "cor favorita | cor"),
            ("¿Dónde vivo?", "viva | vive"),
        ],
    )
    def test_question_becomes_its_telling_words(self, question: str, suggestions: str) -> None:
        """The best stand first: a whole run of words, then its parts."""
        assert " | ".join(suggest_queries(question)) == suggestions

    @pytest.mark.parametrize(
        "query",
        [
            *("", " ", "?", "&", "hello", "who", "what is", "my", "how are you?", "isn't it?"),
            *("What can you do?", "What did I tell you?", "你好", "谢谢", "什么", "吗"),
            *(
                "我刚才说了什么？",
                "Berlin",
                "Berlin?",
                '"Berlin"',
                "XR-7",
                "生日",
                "犬",
                "👍",
                "ชื่ออะไร",
            ),
        ],
    )
    def test_query_without_a_better_phrase_gets_none(self, query: str) -> None:
        """A recall is metered: what would find no more than the query did is left out."""
        assert suggest_queries(query) == ()

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ("내가 좋아하는 색은 뭐야?", "색은"),
            ("Wo wohne ich?", "wohne"),
            ("Où est-ce que j'habite ?", "j'habite"),
            ("Где я живу?", "живу"),
            ("أين أسكن الآن؟", "أسكن"),
        ],
    )
    def test_language_without_rules_gets_content_words(self, query: str, word: str) -> None:
        """Short words at the edges say nothing, whatever they are."""
        assert word in suggest_queries(query)

    @pytest.mark.parametrize(
        "name", ["Ana Lúcia", "Project Falcon", "XR-7", "C++", ".NET", "Node.js", "ana@example.com"]
    )
    @pytest.mark.parametrize(
        "question",
        [
            "What is the status of {}?",
            "What did Tom say about {} last week?",
            "请问{}的状态是什么？",
            "{}の状態は何ですか？",
            "Qual é o prazo de {}?",
            '¿Qué dijo Tomás sobre "{}"?',
        ],
    )
    def test_name_stays_whole(self, name: str, question: str) -> None:
        """Names are what a fact is found by; no mark of theirs is lost."""
        suggestions = suggest_queries(question.format(name))

        assert name in suggestions or any(name in each for each in suggestions[:2])

    @pytest.mark.parametrize(
        "query", ["What did Ana eat yesterday?", "小明昨天吃了什么菜？", "Is Ana away next week?"]
    )
    def test_relative_time_is_not_suggested(self, query: str) -> None:
        """mem9 adds the date to a query that has one; its keyword search then finds nothing."""
        assert suggest_queries(query)
        assert not re.search("yesterday|昨天|week", " ".join(suggest_queries(query)))

    def test_pasted_document_gets_none(self) -> None:
        """A text of hundreds of characters is no question."""
        assert suggest_queries("Where is the spare key? " * 20) == ()


class TestProperties:
    """What holds for any query."""

    @given(QUERIES)
    def test_suggestions_are_few_short_distinct_and_not_the_query(self, query: str) -> None:
        """At most three, none blank, none longer than the query, and nothing raises."""
        suggestions = suggest_queries(query)
        seen = [folded(suggestion) for suggestion in suggestions]

        assert len(suggestions) <= 3
        assert len(set(seen)) == len(seen)
        assert folded(query) not in seen
        assert all(any(map(str.isalnum, suggestion)) for suggestion in suggestions)
        assert all(len(suggestion) <= len(query) for suggestion in suggestions)
        assert all(suggestion == " ".join(suggestion.split()) for suggestion in suggestions)

    @given(QUERIES)
    def test_suggestion_stands_in_the_query(self, query: str) -> None:
        """But for the last letter of a verb of the first person, no letter is made up."""
        for suggestion in suggest_queries(query):
            assert folded(suggestion)[:-1] in folded(query)

    @given(QUERIES)
    def test_suggestion_of_a_suggestion_only_gets_shorter(self, query: str) -> None:
        """Searching again with what was suggested never wanders off."""
        for suggestion in suggest_queries(query):
            assert all(len(again) < len(suggestion) for again in suggest_queries(suggestion))

    @pytest.mark.parametrize(
        "filler",
        [
            *(",", "，", "的", "and ", "什么", "我", "'", '"', "の", "め", " I", "a.", "A "),
            *("食", "食a", "a b", "\ud800"),
        ],
    )
    def test_hostile_repetition_comes_to_an_end(self, filler: str) -> None:
        """No pattern goes back and forth over the longest query that is read."""
        query = ("what is " + filler * 400)[:400]

        assert len(suggest_queries(query)) <= 3
        assert len(suggest_queries(query + filler * 400)) == 0
