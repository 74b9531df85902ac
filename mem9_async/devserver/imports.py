"""Uploads of whole files: taken and listed, and then left lying."""

from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from uuid import uuid4

from aiohttp import web
from pydantic import JsonValue

from mem9_async.devserver.access import Access
from mem9_async.devserver.answers import InvalidField, Refusal, json_answer, wrong_method


@dataclass(frozen=True, slots=True)
class Task:
    """An upload that waits; nothing ever works on it here."""

    id: str
    tenant: int
    file: str

    def wire(self) -> dict[str, JsonValue]:
        """As mem9 shows it."""
        return {"id": self.id, "file": self.file, "status": "pending", "total": 0, "done": 0}


@dataclass(frozen=True, slots=True)
class Imports:
    """Answers what stands below a space's `imports`."""

    _tasks: dict[str, Task] = field(default_factory=dict)

    def answer(
        self, request: web.BaseRequest, access: Access, path: tuple[str, ...], body: bytes
    ) -> web.Response:
        """*path* is what follows `imports`. Raises Refusal."""
        tenant = access.writes_to.number
        match path, request.method:
            case (), "GET":
                mine = [task for task in self._tasks.values() if task.tenant == tenant]
                status = "processing" if mine else "empty"
                return json_answer(200, {"status": status, "tasks": [t.wire() for t in mine]})
            case (), "POST":
                task = self._taken(request.headers.get("Content-Type", ""), body, tenant)
                return json_answer(202, {"id": task.id, "status": "pending"})
            case (task_id,), "GET":
                found = self._tasks.get(task_id)
                if found is None or found.tenant != tenant:
                    raise Refusal(404, "not found")
                return json_answer(200, found.wire())
            case (), _:
                return wrong_method(("GET",))
        return wrong_method(("GET",))

    def _taken(self, content_type: str, body: bytes, tenant: int) -> Task:
        fields = _form(content_type, body)
        if "file" not in fields:
            raise InvalidField("file", "file required")
        if fields.get("file_type") not in ("session", "memory"):
            raise InvalidField("file_type", "must be session or memory")
        task = Task(str(uuid4()), tenant, fields["file"])
        self._tasks[task.id] = task
        return task


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form; a file's value is its name. Raises Refusal."""
    if not content_type.lower().startswith("multipart/form-data"):
        problem = "request Content-Type isn't multipart/form-data"
        raise Refusal(400, f"invalid multipart form or file too large: {problem}")
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: dict[str, str] = {}
    for part in form.iter_parts() if form.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        value = part.get_filename() or str(part.get_content()).strip()
        fields[str(name)] = value
    return fields
