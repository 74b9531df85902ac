"""Rows that contradict each other, and what is made of them.

The seals tell when what a job says, or where it goes, was changed on the disk. Its state is
not sealed, as it changes all the time: a changed one would leave the job waiting for nothing.
"""

from mem9_async.queue.journal.file import JournalFile

# A job that has ended has a time of its end; one that has not is in a batch, or waits for one.
_TRUE_STATE = (
    "CASE WHEN finished_at IS NOT NULL THEN 4"
    " WHEN batch_row IN (SELECT batch_row FROM batches WHERE state = 3) THEN 2"
    " WHEN batch_row IN (SELECT batch_row FROM batches) THEN 1 ELSE 0 END"
)
# Each part finds its rows by an index: most jobs wait, and are not looked at one by one.
_DOUBTFUL = (
    "SELECT seq FROM jobs INDEXED BY jobs_by_lane WHERE state NOT IN (0, 1)"
    " UNION SELECT seq FROM jobs WHERE finished_at IS NOT NULL"
    " UNION SELECT seq FROM jobs WHERE batch_row IS NOT NULL"
    " UNION SELECT seq FROM jobs WHERE seq IN"
    "  (SELECT seq FROM jobs INDEXED BY jobs_by_lane WHERE state = 1) AND batch_row IS NULL"
)


def mend(file: JournalFile) -> int:
    """Give every job the state that the rest of its row tells; return how many had another.

    Belongs inside a transaction. A job that waits a second time for the same is dropped and
    counted as discarded.
    """
    db = file.db
    wrong = [
        row[0]
        for row in db.execute(
            f"SELECT seq FROM jobs WHERE seq IN ({_DOUBTFUL}) AND state != {_TRUE_STATE}"
        )
    ]
    doubled = 0
    for seq in wrong:
        mended = db.execute(
            f"UPDATE OR IGNORE jobs SET state = {_TRUE_STATE} WHERE seq = ?", (seq,)
        ).rowcount
        if not mended:
            doubled += db.execute("DELETE FROM jobs WHERE seq = ?", (seq,)).rowcount
    file.count("discarded", doubled)
    db.execute(
        "UPDATE jobs SET batch_row = NULL WHERE batch_row IS NOT NULL"
        f" AND {_TRUE_STATE} NOT IN (1, 2)"
    )
    strange = db.execute(
        # Whether it was sent is not known any more.
        "UPDATE batches SET state = 2, maybe_sent = 1 WHERE state NOT IN (1, 2, 3)"
    ).rowcount
    strange += db.execute(
        "UPDATE batches SET lane_id = (SELECT j.lane_id FROM jobs j"
        "  WHERE j.batch_row = batches.batch_row ORDER BY j.seq LIMIT 1)"
        " WHERE lane_id != (SELECT j.lane_id FROM jobs j"
        "  WHERE j.batch_row = batches.batch_row ORDER BY j.seq LIMIT 1)"
    ).rowcount
    # What was taken and is not known to be watched is watched from now on.
    db.execute(
        "INSERT OR IGNORE INTO takes SELECT batch_row, first_attempt_at, first_attempt_at, 0, NULL"
        " FROM batches WHERE state = 3"
    )
    for table in ("takes", "ingests"):
        db.execute(f"DELETE FROM {table} WHERE batch_row NOT IN (SELECT batch_row FROM batches)")
    return len(wrong) + strange
