"""The embedded mem9's SQLite file: its tables, and how it is opened."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_APPLICATION_ID = 0x6D656D39  # "mem9": tells our files from anyone else's
_SCHEMA_VERSION = 3

# The word tables hold what words.index_words made of a text; unicode61 only splits it again.
_TABLES = """
CREATE TABLE IF NOT EXISTS tenants (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL DEFAULT 'active'
);
CREATE TABLE IF NOT EXISTS memories (
    row INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (number),
    id TEXT NOT NULL UNIQUE,
    content TEXT NOT NULL,
    digest BLOB NOT NULL,
    memory_type TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'active',
    version INTEGER NOT NULL DEFAULT 1,
    source TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    tags TEXT NOT NULL,
    metadata TEXT,
    updated_by TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    app_id TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS memories_newest ON memories (tenant, state, updated_at, row);
CREATE INDEX IF NOT EXISTS memories_equal ON memories (tenant, digest);
CREATE VIRTUAL TABLE IF NOT EXISTS memory_words
    USING fts5 (scope, words, tokenize = "unicode61 remove_diacritics 0 tokenchars '_'");
CREATE TABLE IF NOT EXISTS sessions (
    row INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (number),
    id TEXT NOT NULL UNIQUE,
    session_id TEXT,
    digest TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    source TEXT NOT NULL,
    seq INTEGER NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created_at REAL NOT NULL,
    app_id TEXT NOT NULL DEFAULT '',
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, session_id, digest)
);
CREATE VIRTUAL TABLE IF NOT EXISTS session_words
    USING fts5 (scope, words, tokenize = "unicode61 remove_diacritics 0 tokenchars '_'");
CREATE TABLE IF NOT EXISTS chains (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    created_by_user_id TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS chain_bindings (
    id TEXT PRIMARY KEY,
    chain_id TEXT NOT NULL REFERENCES chains (id),
    chain_api_key TEXT NOT NULL UNIQUE,
    created_by_user_id TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS chain_nodes (
    id TEXT PRIMARY KEY,
    chain_id TEXT NOT NULL REFERENCES chains (id),
    tenant_id TEXT NOT NULL,
    external_space_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    position INTEGER NOT NULL
);
"""

_BEFORE_APPS = 2
_APPS = """
ALTER TABLE memories ADD COLUMN app_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN app_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
"""


class UnusableDataFile(ValueError):
    """The data file is not one of ours, or is damaged, or cannot be opened."""


def open_database(path: Path | None) -> sqlite3.Connection:
    """Open (or make) the file at *path*, or an empty database in memory; autocommit.

    Raises UnusableDataFile rather than writing into a file that is not an embedded mem9's.
    """
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path or ":memory:", isolation_level=None)
    except (OSError, sqlite3.Error) as exc:
        raise UnusableDataFile(f"{path}: {exc}") from exc
    try:
        _prepare(connection, path)
    except sqlite3.Error as exc:
        connection.close()
        raise UnusableDataFile(f"{path}: {exc}") from exc
    except UnusableDataFile:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (owner, version) == (_APPLICATION_ID, _BEFORE_APPS):
        connection.executescript(_APPS)
        version = _SCHEMA_VERSION
    if tables and (owner, version) != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise UnusableDataFile(f"{path}: not a data file of this embedded mem9")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if path else 'OFF'}")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.executescript(
        f"PRAGMA application_id = {_APPLICATION_ID};"
        f"PRAGMA user_version = {_SCHEMA_VERSION};{_TABLES}"
    )


@contextmanager
def one_commit(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside is committed together; an error rolls it all back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
