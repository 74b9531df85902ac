"""Turns the journals of a dead process back into those of version 1, as an old plugin left them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from mem9_async.queue.journal.sealed_jobs import SEALED_COLUMNS, SealedJob, reseal
from mem9_async.queue.sealing import Sealer, load_secret
from mem9_async.runtime.storage.paths import journal_directory, key_file


def to_version_1(data: Path) -> int:
    """Rewrite every journal under the data directory *data*; return how many jobs they hold.

    Nobody may have one open.
    """
    sealer = Sealer(load_secret(None, key_file(data)))
    jobs = 0
    for path in journal_directory(data).glob("*.db"):
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] < 2:
                continue
            db.execute("BEGIN IMMEDIATE")
            for digest, *columns in db.execute(
                f"SELECT lanes.digest, {SEALED_COLUMNS} FROM jobs JOIN lanes USING (lane_id)"  # noqa: S608
            ).fetchall():
                job = SealedJob(*columns)
                old = reseal(sealer, job.sealed, job.place(digest), digest + job.job_id)
                db.execute("UPDATE jobs SET sealed = ? WHERE seq = ?", (old, job.seq))
                jobs += 1
            for later in ("takes", "refs", "holds", "history", "observed", "ingests"):
                db.execute(f"DROP TABLE IF EXISTS {later}")
            db.execute("PRAGMA user_version = 1")
            db.execute("COMMIT")
    return jobs
