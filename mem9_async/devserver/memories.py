"""The memories table: insights and pinned rows of every tenant, with their words."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator

from mem9_async.devserver.memory import StoredMemory
from mem9_async.devserver.requests import ListRequest
from mem9_async.devserver.words import index_words

_SCOPED = (("insight",), ("pinned",))
_ROWS_PER_WORD_MAX = 1_000  # the newest; bounds a search for a word that stands everywhere
_COLUMNS = (
    "m.id, m.content, m.memory_type, m.created_at, m.updated_at, m.state, m.version, m.source,"
    " m.agent_id, m.session_id, m.tags, m.metadata, m.updated_by, m.app_id"
)


class Memories:
    """Reads and writes memories. Every method is one short SQLite call on the caller's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, tenant: int, memory: StoredMemory) -> None:
        """Insert *memory* as it is, findable at once."""
        cursor = self._connection.execute(
            "INSERT INTO memories (tenant, id, content, digest, memory_type, state, version,"
            " source, agent_id, session_id, tags, metadata, updated_by, created_at, updated_at,"
            " app_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tenant,
                memory.id,
                memory.content,
                _digest(memory.content),
                memory.memory_type,
                memory.state,
                memory.version,
                memory.source,
                memory.agent_id,
                memory.session_id,
                json.dumps(memory.tags),
                _metadata_text(memory),
                memory.updated_by,
                memory.created_at,
                memory.updated_at,
                memory.app_id,
            ),
        )
        self._connection.execute(
            "INSERT INTO memory_words (rowid, scope, words) VALUES (?, ?, ?)",
            (
                cursor.lastrowid,
                scopes(tenant, memory.memory_type),
                " ".join(index_words(memory.content)),
            ),
        )

    def has_equal(self, tenant: int, content: str, agent_id: str, app_id: str = "") -> bool:
        """True when an active insight of the same agent and app says exactly this."""
        found = self._connection.execute(
            "SELECT 1 FROM memories WHERE tenant = ? AND digest = ? AND agent_id = ?"
            " AND state = 'active' AND memory_type = 'insight' AND app_id = ?",
            (tenant, _digest(content), agent_id, app_id),
        ).fetchone()
        return found is not None

    def get(self, tenant: int, memory_id: str) -> StoredMemory | None:
        """The memory in whatever state it is; None when this tenant has none of that id."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM memories m WHERE m.tenant = ? AND m.id = ?",  # noqa: S608
            (tenant, memory_id),
        ).fetchone()
        return None if row is None else _memory(row)

    def replace(self, tenant: int, memory: StoredMemory) -> None:
        """Write the changeable parts of *memory* over the row with its id."""
        (row,) = self._connection.execute(
            "UPDATE memories SET content = ?, digest = ?, state = ?, version = ?, tags = ?,"
            " metadata = ?, updated_by = ?, updated_at = ?"
            " WHERE tenant = ? AND id = ? RETURNING row",
            (
                memory.content,
                _digest(memory.content),
                memory.state,
                memory.version,
                json.dumps(memory.tags),
                _metadata_text(memory),
                memory.updated_by,
                memory.updated_at,
                tenant,
                memory.id,
            ),
        ).fetchone()
        self._connection.execute(
            "UPDATE memory_words SET words = ? WHERE rowid = ?",
            (" ".join(index_words(memory.content)), row),
        )

    def delete(self, tenant: int, ids: Iterable[str], now_s: float) -> int:
        """Mark rows deleted; return how many were not so before."""
        cursor = self._connection.executemany(
            "UPDATE memories SET state = 'deleted', updated_at = ?"
            " WHERE tenant = ? AND id = ? AND state != 'deleted'",
            [(now_s, tenant, memory_id) for memory_id in ids],
        )
        return cursor.rowcount

    def page(
        self, tenant: int, asked: ListRequest, *, limit: int, offset: int
    ) -> tuple[list[StoredMemory], int]:
        """Newest first; also the count of the whole list."""
        where, values = _where(tenant, asked, session_filters=True)
        (total,) = self._connection.execute(
            f"SELECT count(*) FROM memories m WHERE {where}",  # noqa: S608
            values,
        ).fetchone()
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM memories m WHERE {where}"  # noqa: S608
            f" ORDER BY {order_of(asked, 'm')} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [_memory(row) for row in rows], total

    def sharing_words(
        self, tenant: int, words: frozenset[str], asked: ListRequest
    ) -> list[StoredMemory]:
        """Rows that share at least one of *words*: most shared, then newest."""
        if not words:
            return []
        where, values = _where(tenant, asked, session_filters=False)
        within = scope(tenant, *(asked.types if asked.types in _SCOPED else ()))
        counted, matches = counting_query("memory_words", within, words)
        rows = self._connection.execute(
            f"{counted}, best (row, found) AS (SELECT c.row, c.found FROM counted c"  # noqa: S608
            f" CROSS JOIN memories m ON m.row = c.row WHERE {where}"
            " ORDER BY c.found DESC, c.row DESC LIMIT ?)"
            f" SELECT {_COLUMNS} FROM best b CROSS JOIN memories m ON m.row = b.row",
            (*matches, *values, 4 * candidates_max(asked)),
        )
        return [_memory(row) for row in rows]

    def containing(self, tenant: int, text: str, asked: ListRequest) -> list[StoredMemory]:
        """Rows whose content contains *text* in any case, newest first."""
        where, values = _where(tenant, asked, session_filters=False)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM memories m"  # noqa: S608
            f" WHERE instr(lower(m.content), lower(?)) AND {where}"
            " ORDER BY m.updated_at DESC, m.row DESC LIMIT ?",
            (text, *values, candidates_max(asked)),
        )
        return [_memory(row) for row in rows]

    def matching(self, tenant: int, asked: ListRequest, most: int) -> list[StoredMemory]:
        """Rows whose content contains the query in any case, in the order asked for."""
        where, values = _where(tenant, asked, session_filters=True)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM memories m"  # noqa: S608
            f" WHERE instr(lower(m.content), lower(?)) AND {where}"
            f" ORDER BY {order_of(asked, 'm')} LIMIT ?",
            (asked.query, *values, most),
        )
        return [_memory(row) for row in rows]

    def everything(self) -> Iterator[StoredMemory]:
        """Every row of every tenant in order of insertion, `tenant` filled in."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS}, t.id AS tenant_id FROM memories m"  # noqa: S608
            " JOIN tenants t ON t.number = m.tenant ORDER BY m.row"
        )
        for row in rows:
            yield _memory(row, row["tenant_id"])


def candidates_max(asked: ListRequest) -> int:
    """How many rows each leg of a search brings."""
    return 3 * asked.limit


def counting_query(table: str, within: str, words: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """A WITH clause `counted (row, found)`: how many of *words* each row in a scope has."""
    one_word = (
        f"SELECT rowid FROM (SELECT rowid FROM {table} WHERE {table} MATCH ?"  # noqa: S608
        f" ORDER BY rowid DESC LIMIT {_ROWS_PER_WORD_MAX})"
    )
    every_word = " UNION ALL ".join([one_word] * len(words))
    grouped = f"SELECT rowid, count(*) FROM ({every_word}) GROUP BY 1"  # noqa: S608
    counted = f"WITH counted (row, found) AS ({grouped})"
    return counted, tuple(f'scope:{within} AND words:"{word}"' for word in words)


def scope(tenant: int, kind: str = "") -> str:
    """The word that stands for a tenant, or one kind of its rows, in the word tables.

    The index then meets a filter and a word at once, and touches no row that fails it.
    """
    return f"t{tenant}_{kind}" if kind else f"t{tenant}"


def scopes(tenant: int, kind: str) -> str:
    """Every scope a row of this kind belongs to."""
    return f"{scope(tenant)} {scope(tenant, kind)}"


def order_of(asked: ListRequest, table: str) -> str:
    """The ORDER BY that a list asks for; newest first unless it says otherwise."""
    time = "created_at" if table == "s" else "updated_at"
    column = {"content": "content", "updated_at": time}.get(asked.sort_by, asked.sort_by)
    if table == "s" and column in ("memory_type", "tags"):  # a raw message has neither
        column = time
    direction = "ASC" if asked.ascending else "DESC"
    return f"{table}.{column} {direction}, {table}.row {direction}"


def _digest(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()[:16]


def _metadata_text(memory: StoredMemory) -> str | None:
    return None if memory.metadata is None else json.dumps(memory.metadata)


def _where(
    tenant: int, asked: ListRequest, *, session_filters: bool
) -> tuple[str, tuple[str | int, ...]]:
    """The filters as SQL; a recall lets insights of every session and source through."""
    clauses, values = ["m.tenant = ?"], [tenant]
    clauses_values: list[tuple[str, str]] = [
        ("m.state = ?", asked.state),
        ("m.agent_id = ?", asked.agent_id),
    ]
    if session_filters:
        clauses_values += [("m.session_id = ?", asked.session_id), ("m.source = ?", asked.source)]
    texts: list[str] = []
    for clause, value in clauses_values:
        if value:
            clauses.append(clause)
            texts.append(value)
    if asked.types:
        clauses.append(f"m.memory_type IN ({', '.join('?' * len(asked.types))})")
        texts.extend(asked.types)
    if asked.app_id is not None:
        clauses.append("m.app_id = ?")
        texts.append(asked.app_id)
    for tag in asked.tags:
        clauses.append("EXISTS (SELECT 1 FROM json_each(m.tags) WHERE value = ?)")
        texts.append(tag)
    return " AND ".join(clauses), (*values, *texts)


def _memory(row: sqlite3.Row, tenant: str = "") -> StoredMemory:
    return StoredMemory(
        id=row["id"],
        content=row["content"],
        memory_type=row["memory_type"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        state=row["state"],
        version=row["version"],
        source=row["source"],
        agent_id=row["agent_id"],
        session_id=row["session_id"],
        tags=tuple(json.loads(row["tags"])),
        metadata=None if row["metadata"] is None else json.loads(row["metadata"]),
        updated_by=row["updated_by"],
        tenant=tenant,
        app_id=row["app_id"],
    )
