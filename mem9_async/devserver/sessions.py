"""The sessions table: the raw messages of conversations, as they were sent."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from pydantic import JsonValue

from mem9_async.devserver.memories import candidates_max, counting_query, order_of, scope
from mem9_async.devserver.memory import StoredMemory, timestamp
from mem9_async.devserver.requests import ID_LENGTH_MAX, ListRequest, RawMessage
from mem9_async.devserver.words import index_words

_ROLE_LENGTH_MAX = 20
_SEQ_MAX = 2**31


@dataclass(frozen=True, slots=True)
class Conversation:
    """Whose messages these are; an empty `session_id` is stored as none."""

    tenant: int
    session_id: str
    agent_id: str
    source: str
    app_id: str = ""

    @property
    def fits(self) -> bool:
        """False when an id is longer than its column; mem9 then loses the rows silently."""
        return all(
            len(text) <= ID_LENGTH_MAX for text in (self.session_id, self.agent_id, self.source)
        )


class Sessions:
    """Reads and writes raw messages; equal ones of one session are kept once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self,
        conversation: Conversation,
        message: RawMessage,
        *,
        index: int,
        now_s: float,
    ) -> None:
        """Insert unless the session has it already; a row that does not fit is left out."""
        seq = index if message.seq is None else message.seq
        if len(message.role) > _ROLE_LENGTH_MAX or not -_SEQ_MAX <= seq < _SEQ_MAX:
            return
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO sessions (tenant, id, session_id, digest, agent_id, source, seq,"
            " role, content, content_type, created_at, app_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                conversation.tenant,
                str(uuid4()),
                conversation.session_id or None,
                message_digest(conversation.session_id, message, conversation.app_id),
                conversation.agent_id,
                conversation.source,
                seq,
                message.role,
                message.content,
                _content_type(message.content),
                now_s,
                conversation.app_id,
            ),
        )
        if cursor.rowcount:
            self._connection.execute(
                "INSERT INTO session_words (rowid, scope, words) VALUES (?, ?, ?)",
                (
                    cursor.lastrowid,
                    scope(conversation.tenant),
                    " ".join(index_words(message.content)),
                ),
            )

    def of_sessions(
        self, tenant: int, session_ids: Iterable[str], limit: int, app_id: str | None = None
    ) -> list[tuple[tuple[float, int, int], dict[str, JsonValue]]]:
        """The oldest *limit* messages of each session as mem9 sends them, with their sort keys."""
        found: list[tuple[tuple[float, int, int], dict[str, JsonValue]]] = []
        for session_id in session_ids:
            rows = self._connection.execute(
                "SELECT * FROM sessions WHERE tenant = ? AND session_id = ? AND NOT deleted"
                " AND (? IS NULL OR app_id = ?) ORDER BY created_at, seq, row LIMIT ?",
                (tenant, session_id, app_id, app_id, limit),
            )
            found.extend(
                ((row["created_at"], row["seq"], row["row"]), _message_wire(row)) for row in rows
            )
        return found

    def page(
        self, tenant: int, asked: ListRequest, *, limit: int, offset: int
    ) -> tuple[list[StoredMemory], int]:
        """Raw messages as memories, newest first; also the count of the whole list."""
        where, values = _where(tenant, asked)
        (total,) = self._connection.execute(
            f"SELECT count(*) FROM sessions s WHERE {where}",  # noqa: S608
            values,
        ).fetchone()
        rows = self._connection.execute(
            f"SELECT s.* FROM sessions s WHERE {where}"  # noqa: S608
            f" ORDER BY {order_of(asked, 's')} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [_memory(row) for row in rows], total

    def matching(self, tenant: int, asked: ListRequest, most: int) -> list[StoredMemory]:
        """Messages whose content contains the query in any case, in the order asked for."""
        where, values = _where(tenant, asked)
        rows = self._connection.execute(
            "SELECT s.* FROM sessions s"  # noqa: S608
            f" WHERE instr(lower(s.content), lower(?)) AND {where}"
            f" ORDER BY {order_of(asked, 's')} LIMIT ?",
            (asked.query, *values, most),
        )
        return [_memory(row) for row in rows]

    def get(self, tenant: int, message_id: str) -> StoredMemory | None:
        """One raw message as a memory; None when there is none of that id."""
        row = self._connection.execute(
            "SELECT * FROM sessions WHERE tenant = ? AND id = ? AND NOT deleted",
            (tenant, message_id),
        ).fetchone()
        return None if row is None else _memory(row)

    def delete(self, tenant: int, ids: Iterable[str]) -> int:
        """Take messages out of every answer; return how many were not so before."""
        return self._connection.executemany(
            "UPDATE sessions SET deleted = 1 WHERE tenant = ? AND id = ? AND NOT deleted",
            [(tenant, message_id) for message_id in ids],
        ).rowcount

    def sharing_words(
        self, tenant: int, words: frozenset[str], asked: ListRequest
    ) -> list[StoredMemory]:
        """Messages that share at least one of *words*: most shared, then newest."""
        if not words:
            return []
        where, values = _where(tenant, asked)
        counted, matches = counting_query("session_words", scope(tenant), words)
        rows = self._connection.execute(
            f"{counted}, best (row, found) AS (SELECT c.row, c.found FROM counted c"  # noqa: S608
            f" CROSS JOIN sessions s ON s.row = c.row WHERE {where}"
            " ORDER BY c.found DESC, c.row DESC LIMIT ?)"
            " SELECT s.* FROM best b CROSS JOIN sessions s ON s.row = b.row",
            (*matches, *values, 4 * candidates_max(asked)),
        )
        return [_memory(row) for row in rows]

    def containing(self, tenant: int, text: str, asked: ListRequest) -> list[StoredMemory]:
        """Messages whose content contains *text* in any case, newest first."""
        where, values = _where(tenant, asked)
        rows = self._connection.execute(
            "SELECT s.* FROM sessions s"  # noqa: S608
            f" WHERE instr(lower(s.content), lower(?)) AND {where}"
            " ORDER BY s.created_at DESC, s.row DESC LIMIT ?",
            (text, *values, candidates_max(asked)),
        )
        return [_memory(row) for row in rows]


def message_digest(session_id: str, message: RawMessage, app_id: str = "") -> str:
    """What makes two messages of a session and app equal; a number counts when one was given."""
    if message.seq is None:
        joined = session_id + message.role + message.content
    else:
        joined = "\0".join((session_id, message.role, str(message.seq), message.content))
    if app_id:
        joined = "\0".join((app_id, "app", joined))
    return hashlib.sha256(joined.encode()).hexdigest()


def _content_type(content: str) -> str:
    if content[:1] in "{[":
        try:
            json.loads(content)
        except (ValueError, RecursionError):
            return "text"
        return "json"
    return "text"


def _where(tenant: int, asked: ListRequest) -> tuple[str, tuple[str | int | float, ...]]:
    if asked.tags or asked.state not in ("", "active"):
        return "0", ()  # raw messages carry no tags here and are always active
    clauses, texts = ["s.tenant = ?", "NOT s.deleted"], []
    for clause, value in (
        ("s.agent_id = ?", asked.agent_id),
        ("s.session_id = ?", asked.session_id),
        ("s.source = ?", asked.source),
    ):
        if value:
            clauses.append(clause)
            texts.append(value)
    if asked.app_id is not None:
        clauses.append("s.app_id = ?")
        texts.append(asked.app_id)
    times: list[float] = []
    for clause, at in (
        ("s.created_at >= ?", asked.created_after),
        ("s.created_at <= ?", asked.created_before),
    ):
        if at is not None:
            clauses.append(clause)
            times.append(at)
    return " AND ".join(clauses), (tenant, *texts, *times)


def _memory(row: sqlite3.Row) -> StoredMemory:
    return StoredMemory(
        id=row["id"],
        content=row["content"],
        memory_type="session",
        created_at=row["created_at"],
        updated_at=row["created_at"],
        version=0,
        source=row["source"],
        agent_id=row["agent_id"],
        session_id=row["session_id"] or "",
        app_id=row["app_id"],
        metadata={
            "role": row["role"],
            "seq": row["seq"],
            "content_type": row["content_type"],
        },
    )


def _message_wire(row: sqlite3.Row) -> dict[str, JsonValue]:
    optional = {name: row[name] for name in ("session_id", "agent_id", "source") if row[name]}
    if row["app_id"]:
        optional["appId"] = row["app_id"]
    return {
        "id": row["id"],
        **optional,
        "seq": row["seq"],
        "role": row["role"],
        "content": row["content"],
        "content_type": row["content_type"],
        "tags": [],
        "state": "active",
        "created_at": timestamp(row["created_at"]),
        "updated_at": timestamp(row["created_at"]),
    }
