"""What a call asks of the queue."""

import pytest

from mem9_async.models.errors import InvalidRequest
from mem9_async.tools.requests.queue import question_of
from tests.tools.fakes import call


class TestQueue:
    """memory_queue."""

    def test_asks_for_the_status_by_default(self) -> None:
        """Looking changes nothing."""
        question = question_of(call({"job_id": "01JOB"}))

        assert question.command.action == "status"
        assert question.command.job_id == "01JOB"
        assert question.shared is True

    def test_needs_no_caller_where_callers_are_kept_apart(self) -> None:
        """A space's queue is not one person's, and is not told as if it were."""
        question = question_of(call(isolation="per_conversation"))

        assert question.shared is False

    def test_sends_no_other_persons_dead_letters(self) -> None:
        """One's own is named by the job_id that its store was answered with."""
        asked: dict[str, object] = {"action": "retry_dead"}
        with pytest.raises(InvalidRequest) as refused:
            question_of(call(asked, isolation="per_user"))

        assert refused.value.code == "job_id_required"
        assert question_of(call({**asked, "job_id": "1"}, isolation="per_user")).shared is False
        assert question_of(call(asked)).command.job_id is None

    def test_refuses_an_unknown_action(self) -> None:
        """No guess between flush and retry."""
        with pytest.raises(InvalidRequest) as refused:
            question_of(call({"action": "purge"}))

        assert refused.value.code == "action_invalid"
