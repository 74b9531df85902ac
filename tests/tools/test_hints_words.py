"""The word tables: entries that could never be met are mistakes."""

from mem9_async.tools.hints import words
from mem9_async.tools.hints.chinese_words import MEASURES
from mem9_async.tools.hints.text import words_of
from mem9_async.tools.hints.verbs import base_of, past, third_person


def test_prefixes_and_suffixes_are_written_as_questions_are_read() -> None:
    """A phrase that the reader would cut differently (a contraction) would never match."""
    for phrase in words.PREFIXES + words.SUFFIXES + words.RELATIVE_TIMES:
        assert tuple(word.low for word in words_of(" ".join(phrase))) == phrase


def test_longer_phrases_come_first() -> None:
    """After "could you please" no "please" may be left behind."""
    for table in (words.PREFIXES, words.SUFFIXES):
        assert [len(phrase) for phrase in table] == sorted(map(len, table), reverse=True)
        assert len(set(table)) == len(table)


def test_no_two_verbs_share_a_past() -> None:
    """The base is found again from the past."""
    pasts = list(words.IRREGULAR_PAST.values())

    assert len(set(pasts)) == len(pasts)


def test_every_form_of_every_verb_leads_back_to_it() -> None:
    """What is inflected can be read again, but for verbs whose forms coincide."""
    for verb in words.VERBS:
        assert base_of(third_person(verb)) == verb
        assert base_of(past(verb)) == verb


def test_unknown_verbs_are_inflected_without_harm() -> None:
    """A past stays what it is; a short syllable doubles its last letter."""
    assert [past(verb) for verb in ("procrastinated", "need", "ban", "fax", "veto")] == [
        "procrastinated",
        "needed",
        "banned",
        "faxed",
        "vetoed",
    ]


def test_abbreviations_are_written_as_they_are_compared() -> None:
    """Without a full stop, in lower case, in one table only."""
    every = words.ABBREVIATIONS | words.CLOSING_ABBREVIATIONS

    assert all(word.isalpha() and word.islower() for word in every)
    assert not words.ABBREVIATIONS & words.CLOSING_ABBREVIATIONS
    assert words.AMBIGUOUS_ABBREVIATIONS <= words.ABBREVIATIONS


def test_measure_words_are_single_and_distinct() -> None:
    """They stand in a character class."""
    assert len(set(MEASURES)) == len(MEASURES)


def test_forms_of_regular_verbs_are_spelled_right() -> None:
    """One example of each spelling rule."""
    assert [third_person(verb) for verb in ("live", "study", "play", "watch", "go", "have")] == [
        "lives",
        "studies",
        "plays",
        "watches",
        "goes",
        "has",
    ]
    assert [past(verb) for verb in ("live", "study", "play", "watch", "go", "plan")] == [
        "lived",
        "studied",
        "played",
        "watched",
        "went",
        "planned",
    ]
