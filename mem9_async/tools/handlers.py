"""What each tool does with a call: parse it, ask the backend, answer. Errors go to the caller."""

import structlog

from mem9_async.models.errors import (
    Mem9AsyncError,
    NotFound,
    PartlyDeleted,
    QueueFull,
    VersionConflict,
)
from mem9_async.models.memory import Deletion, Memory
from mem9_async.tools import caller
from mem9_async.tools.answers import memories as answers
from mem9_async.tools.answers.agent_memory import (
    ObserveAnswer,
    PrepareAnswer,
    observed,
    prepared,
)
from mem9_async.tools.answers.memories import DeleteAnswer, GetAnswer, ListAnswer, UpdateAnswer
from mem9_async.tools.answers.queue import QueueAnswer, reported
from mem9_async.tools.answers.search import SearchAnswer, found
from mem9_async.tools.answers.store import StoreAnswer, accepted, queue_full
from mem9_async.tools.backend import Backend
from mem9_async.tools.call import Call
from mem9_async.tools.caller import Access, Isolation
from mem9_async.tools.requests import memories as asked
from mem9_async.tools.requests.observe import observation_of
from mem9_async.tools.requests.prepare import preparation_of
from mem9_async.tools.requests.queue import question_of
from mem9_async.tools.requests.search import search_of
from mem9_async.tools.requests.store import new_job

_log = structlog.get_logger(__name__)


def store(call: Call, backend: Backend) -> StoreAnswer:
    """Journal what *call* wants remembered; the receipt, not mem9, is waited for."""
    job = new_job(call, max_bytes=backend.settings.job_max_bytes)
    try:
        receipt = backend.store(job)
    except QueueFull as full:
        return queue_full(full)
    shared = caller.isolation(call) is Isolation.SHARED
    return accepted(job, receipt, shared=shared)


def search(call: Call, backend: Backend) -> SearchAnswer:
    """Recall what matches, and what is on its way to mem9 and matches."""
    command = search_of(call)
    result = backend.search(
        command.query,
        include_pending=command.include_pending,
        second=command.second,
    )
    return found(command.query, result)


def prepare(call: Call, backend: Backend) -> PrepareAnswer:
    """Tell what is known of the subject whose run begins."""
    try:
        asked = preparation_of(call)
        return prepared(asked, backend.prepare(asked))
    except Mem9AsyncError as error:
        # The answer is an empty memory: nobody would learn of it otherwise.
        _log.warning("memory.not_prepared", error_type=error.code)
        raise


def observe(call: Call, backend: Backend) -> ObserveAnswer:
    """Take an event of a run, or pass over one that is not to be kept."""
    try:
        backend.observe(observation_of(call, max_bytes=backend.settings.job_max_bytes))
    except Mem9AsyncError as error:
        # Dify observes no more of this run, and says only that the tool failed.
        _log.warning("event.refused", error_type=error.code)
        raise
    return observed()


def list_memories(call: Call, backend: Backend) -> ListAnswer:
    """Return one page of answers."""
    return answers.listed(backend.list_memories(asked.page(call)))


def get(call: Call, backend: Backend) -> GetAnswer:
    """Return one memory."""
    wanted = asked.one_memory(call)
    return answers.got(_own(backend, wanted.access, wanted.memory_id))


def update(call: Call, backend: Backend) -> UpdateAnswer:
    """Change one memory."""
    command = asked.change(call, max_bytes=backend.settings.job_max_bytes)
    asker = command.access
    if asker.kept_apart:
        _own(backend, asker, command.memory_id)
    try:
        memory = backend.update_memory(
            asker.space, asker.agent_id, command.memory_id, command.change
        )
    except VersionConflict as error:
        return answers.conflict(error)
    return answers.updated(memory)


def delete(call: Call, backend: Backend) -> DeleteAnswer:
    """Delete memories by their ids."""
    command = asked.deletion(call)
    asker = command.access
    ids = command.memory_ids
    if asker.kept_apart:
        ids = tuple(memory_id for memory_id in ids if _is_own(backend, asker, memory_id))
    requested = len(command.memory_ids)
    if not ids:
        return answers.deleted(Deletion(requested=requested, deleted=0))
    try:
        deletion = backend.delete_memories(asker.space, asker.agent_id, ids)
    except PartlyDeleted as error:
        return answers.partly_deleted(error, requested=requested)
    return answers.deleted(Deletion(requested=requested, deleted=deletion.deleted))


def queue(call: Call, backend: Backend) -> QueueAnswer:
    """Report on the write queue of the caller's space."""
    question = question_of(call)
    return reported(question, backend.queue(question.command))


def _own(backend: Backend, asker: Access, memory_id: str) -> Memory:
    memory = backend.get_memory(asker.space, asker.agent_id, memory_id)
    if not asker.owns(memory):
        # The same words as for an id that does not exist: another's memory is not hinted at.
        raise NotFound("mem9 has no memory with this id")
    return memory


def _is_own(backend: Backend, asker: Access, memory_id: str) -> bool:
    try:
        _own(backend, asker, memory_id)
    except NotFound:
        return False
    return True
