"""What each tool does with a call: parse it, ask the backend, answer. Errors go to the caller."""

from mem9_async.models.errors import NotFound, PartlyDeleted, QueueFull, VersionConflict
from mem9_async.models.memory import Deletion, Memory
from mem9_async.tools import (
    access,
    memory_payload,
    params,
    queue_payload,
    search_payload,
    store_params,
    store_payload,
)
from mem9_async.tools.access import Access, Isolation
from mem9_async.tools.backend import Backend
from mem9_async.tools.call import Call
from mem9_async.tools.memory_payload import DeleteAnswer, GetAnswer, ListAnswer, UpdateAnswer
from mem9_async.tools.queue_payload import QueueAnswer
from mem9_async.tools.search_payload import SearchAnswer
from mem9_async.tools.store_payload import StoreAnswer


def store(call: Call, backend: Backend) -> StoreAnswer:
    """Journal what *call* wants remembered; the receipt, not mem9, is waited for."""
    job = store_params.new_job(call, max_bytes=backend.settings.job_max_bytes)
    try:
        receipt = backend.store(job)
    except QueueFull as full:
        return store_payload.queue_full(full)
    shared = access.isolation(call) is Isolation.SHARED
    return store_payload.accepted(job, receipt, shared=shared)


def search(call: Call, backend: Backend) -> SearchAnswer:
    """Recall what matches, and what is on its way to mem9 and matches."""
    command = params.search(call)
    result = backend.search(
        command.query,
        include_pending=command.include_pending,
        second=command.second,
    )
    return search_payload.found(command.query, result)


def list_memories(call: Call, backend: Backend) -> ListAnswer:
    """Return one page of memories."""
    return memory_payload.listed(backend.list_memories(params.page(call)))


def get(call: Call, backend: Backend) -> GetAnswer:
    """Return one memory."""
    wanted = params.one_memory(call)
    return memory_payload.got(_own(backend, wanted.access, wanted.memory_id))


def update(call: Call, backend: Backend) -> UpdateAnswer:
    """Change one memory."""
    command = params.change(call, max_bytes=backend.settings.job_max_bytes)
    asker = command.access
    if asker.isolated:
        _own(backend, asker, command.memory_id)
    try:
        memory = backend.update_memory(
            asker.space, asker.agent_id, command.memory_id, command.change
        )
    except VersionConflict as error:
        return memory_payload.conflict(error)
    return memory_payload.updated(memory)


def delete(call: Call, backend: Backend) -> DeleteAnswer:
    """Delete memories by their ids."""
    command = params.deletion(call)
    asker = command.access
    ids = command.memory_ids
    if asker.isolated:
        ids = tuple(memory_id for memory_id in ids if _is_own(backend, asker, memory_id))
    requested = len(command.memory_ids)
    if not ids:
        return memory_payload.deleted(Deletion(requested=requested, deleted=0))
    try:
        deletion = backend.delete_memories(asker.space, asker.agent_id, ids)
    except PartlyDeleted as error:
        return memory_payload.partly_deleted(error, requested=requested)
    return memory_payload.deleted(Deletion(requested=requested, deleted=deletion.deleted))


def queue(call: Call, backend: Backend) -> QueueAnswer:
    """Report on the write queue of the caller's space."""
    question = params.queue(call)
    return queue_payload.reported(question, backend.queue(question.command))


def _own(backend: Backend, asker: Access, memory_id: str) -> Memory:
    memory = backend.get_memory(asker.space, asker.agent_id, memory_id)
    if asker.isolated and memory.agent_id != asker.agent_id:
        # The same words as for an id that does not exist: another's memory is not hinted at.
        raise NotFound("mem9 has no memory with this id")
    return memory


def _is_own(backend: Backend, asker: Access, memory_id: str) -> bool:
    try:
        _own(backend, asker, memory_id)
    except NotFound:
        return False
    return True
