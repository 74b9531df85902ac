"""What the model is told to do after a search that brought too little."""

import pytest

from mem9_async.tools.answers.retry_hint import retry_sentence

REASONS = (
    "no_match",
    "low_confidence",
    "pending_writes",
    "rate_limited",
    "quota_denied",
    "unavailable",
    "timeout",
    "unauthorized",
    "invalid_request",
)


class TestEveryReason:
    """What holds for each reason, and for all of them together."""

    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.parametrize("suggestions", [(), ("user's favourite editor", "editor", "Vim")])
    @pytest.mark.parametrize("after_s", [None, 0.0, 2.4, 900.0, float("nan"), float("inf"), -1.0])
    def test_every_reason_has_one_short_sentence(
        self, reason: str, suggestions: tuple[str, ...], after_s: float | None
    ) -> None:
        """It ends in a full stop, holds no other, and is short enough to be read."""
        sentence = retry_sentence(reason, suggestions, after_s)

        assert sentence.endswith(".")
        assert ". " not in sentence
        assert len(sentence) <= 180
        assert "nan" not in sentence
        assert "inf " not in sentence

    def test_reasons_have_different_sentences(self) -> None:
        """Finding nothing and being unable to look never look alike."""
        sentences = {retry_sentence(reason, (), None) for reason in REASONS}

        assert len(sentences) == len(REASONS)

    @pytest.mark.parametrize("reason", ["no_match", "low_confidence"])
    def test_suggestions_are_named_where_a_better_query_helps(self, reason: str) -> None:
        """The best two are quoted as they are to be sent."""
        sentence = retry_sentence(reason, ("user's favourite editor", "editor", "Vim"), None)

        assert '"user\'s favourite editor" or "editor"' in sentence
        assert "Vim" not in sentence

    @pytest.mark.parametrize(
        "reason", ["rate_limited", "quota_denied", "unavailable", "timeout", "unauthorized"]
    )
    def test_suggestions_are_not_named_where_the_query_is_not_to_blame(self, reason: str) -> None:
        """Another wording would be refused in the same way."""
        assert "editor" not in retry_sentence(reason, ("editor",), None)

    @pytest.mark.parametrize(
        "reason", ["pending_writes", "rate_limited", "quota_denied", "unavailable", "timeout"]
    )
    @pytest.mark.parametrize(
        ("after_s", "words"), [(0.4, "1 s"), (30.0, "30 s"), (900.0, "15 min"), (21_600.0, "6 h")]
    )
    def test_wait_is_told_where_it_is_known(self, reason: str, after_s: float, words: str) -> None:
        """A model needs a number it can act on, in a unit it can grasp."""
        assert words in retry_sentence(reason, (), after_s)


class TestNotRetryable:
    """What the caller says cannot help is never advised."""

    @pytest.mark.parametrize("reason", REASONS)
    @pytest.mark.parametrize("suggestions", [(), ("editor",)])
    @pytest.mark.parametrize("after_s", [None, 30.0])
    @pytest.mark.parametrize("status", [None, 302, 400, 404])
    def test_trying_again_is_not_advised(
        self, reason: str, suggestions: tuple[str, ...], after_s: float | None, status: int | None
    ) -> None:
        """Neither the same search nor another, now or later; only what has to change first."""
        sentence = retry_sentence(reason, suggestions, after_s, retryable=False, status=status)
        advice = sentence.replace("do not search again", "").replace("before searching again", "")

        assert "again" not in advice
        assert "once more" not in advice
        assert "30 s" not in sentence
        assert "editor" not in sentence
        assert len(sentence) <= 180
        assert ". " not in sentence

    def test_finding_nothing_and_being_unable_to_look_still_differ(self) -> None:
        """Every reason keeps a sentence of its own."""
        sentences = {retry_sentence(reason, (), None, retryable=False) for reason in REASONS}

        assert len(sentences) == len(REASONS)


class TestQuotaDenied:
    """A person can lift a quota, if they hear of it."""

    def test_user_is_told_where_there_is_a_message_for_them(self) -> None:
        """The field is named as it stands in the answer."""
        assert "`user_message`" in retry_sentence("quota_denied", (), None, user_message=True)

    def test_message_that_is_not_there_is_not_named(self) -> None:
        """Not every denial has a body that mem9 wrote for people."""
        sentence = retry_sentence("quota_denied", (), 7.0, user_message=False)

        assert sentence == "mem9 denied the search for quota; do not search again for 7 s."


class TestInvalidRequest:
    """A wrong parameter and a wrong address need different hands."""

    @pytest.mark.parametrize("status", [None, 400, 413, 422])
    def test_refused_parameters_are_to_be_corrected(self, status: int | None) -> None:
        """The model can do that itself."""
        sentence = retry_sentence("invalid_request", (), None, retryable=False, status=status)

        assert "correct its parameters" in sentence
        assert "base URL" not in sentence

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405, 501])
    def test_wrong_address_is_to_be_checked(self, status: int) -> None:
        """No parameter makes another server of it."""
        sentence = retry_sentence("invalid_request", (), None, retryable=False, status=status)

        assert "base URL should be checked" in sentence
        assert "parameters" not in sentence

    def test_status_is_heeded_only_where_the_request_is_to_blame(self) -> None:
        """mem9 says 404 for a key it does not know, too."""
        assert "API key" in retry_sentence("unauthorized", (), None, retryable=False, status=404)
