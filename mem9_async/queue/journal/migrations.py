"""From the schema of one version to the next: each step runs in one transaction.

A step knows the two forms it stands between and nothing newer, so that it stays as it is.
"""

import sqlite3
import struct
from collections.abc import Callable

from mem9_async.queue.journal.sealed_jobs import reseal
from mem9_async.queue.sealing import Sealer

_ROWS = 500


def _seal_to_the_whole_place(db: sqlite3.Connection, sealer: Sealer) -> None:
    """1 to 2: the seal of a job covers its number, kind, size and time of acceptance too."""
    pack = struct.Struct(">q?qd").pack
    last = -(1 << 62)
    while rows := db.execute(
        "SELECT seq, digest, job_id, pinned, size, accepted_at, jobs.sealed"
        " FROM jobs JOIN lanes USING (lane_id) WHERE seq > ? ORDER BY seq LIMIT ?",
        (last, _ROWS),
    ).fetchall():
        resealed = []
        for seq, digest, job_id, pinned, size, accepted_at, sealed in rows:
            place = digest + job_id
            new = place + pack(seq, bool(pinned), size, accepted_at)
            resealed.append((reseal(sealer, sealed, place, new), seq))
        db.executemany("UPDATE jobs SET sealed = ? WHERE seq = ?", resealed)
        last = rows[-1][0]


def _watch_what_was_taken(db: sqlite3.Connection, sealer: Sealer) -> None:
    """2 to 3: batches that mem9 has taken stay until it is seen that mem9 has them."""
    db.execute(
        "CREATE TABLE takes (batch_row INTEGER PRIMARY KEY, taken_at REAL NOT NULL,"
        " first_taken_at REAL NOT NULL, resends INTEGER NOT NULL, lost_for TEXT) STRICT"
    )


def _remember_what_happened(db: sqlite3.Connection, sealer: Sealer) -> None:
    """3 to 4: what happened to jobs, their references, and what people hold back by hand."""
    db.execute(
        "CREATE TABLE refs (job_id BLOB PRIMARY KEY, reference TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE holds (digest BLOB PRIMARY KEY, since REAL NOT NULL) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE history (n INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL,"
        " batch_id TEXT, jobs BLOB NOT NULL, space TEXT NOT NULL, lane TEXT NOT NULL,"
        " detail TEXT NOT NULL) STRICT"
    )


def _know_observed_events(db: sqlite3.Connection, sealer: Sealer) -> None:
    """4 to 5: which events of agents' runs were taken, so that none is taken twice."""
    db.execute(
        "CREATE TABLE observed (digest BLOB PRIMARY KEY, job_id BLOB NOT NULL, at REAL NOT NULL)"
        " STRICT, WITHOUT ROWID"
    )
    db.execute("CREATE INDEX observed_by_time ON observed (at)")


def _follow_the_servers_jobs(db: sqlite3.Connection, sealer: Sealer) -> None:
    """5 to 6: which job of the server's a taken batch became.

    From then on a lane may name an app, and a turn may ask that its messages are not kept: a
    plugin of before could not read either.
    """
    db.execute(
        "CREATE TABLE ingests (batch_row INTEGER PRIMARY KEY, ingest_job TEXT NOT NULL) STRICT"
    )


#: From version n to n + 1.
MIGRATIONS: dict[int, Callable[[sqlite3.Connection, Sealer], None]] = {
    1: _seal_to_the_whole_place,
    2: _watch_what_was_taken,
    3: _remember_what_happened,
    4: _know_observed_events,
    5: _follow_the_servers_jobs,
}
