"""Counters that fit what was saved: of a damaged journal, not even the counts can be believed."""

from mem9_async.queue.journal.file import JournalFile
from mem9_async.queue.journal.numbering import COUNTED_TO, OWN_FIRST_SEQ


def recount(file: JournalFile, *, lost: int) -> None:
    """Have the sum hold again, with *lost* jobs that are known to be gone.

    Belongs inside a transaction. What left before the damage stays counted where that was saved.
    """
    held = file.db.execute(
        "SELECT coalesce(sum(state IN (0, 1)), 0), coalesce(sum(state = 2), 0),"
        " coalesce(sum(state = 4), 0), coalesce(sum(seq < ?), 0), max(seq) FROM jobs",
        (OWN_FIRST_SEQ,),
    ).fetchone()
    present, taken, dead, from_others, last_seq = held
    before = file.counters()
    delivered = max(before.get("delivered", 0), taken)
    adopted = max(before.get("adopted", 0), from_others)
    left = delivered + dead + before.get("expired", 0) + before.get("discarded", 0)
    counters = {
        "lost": before.get("lost", 0) + lost,
        "dead": dead,
        "delivered": delivered,
        "adopted": adopted,
        COUNTED_TO: last_seq or 0,
    }
    counters["accepted"] = present + left + counters["lost"] - adopted
    file.db.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", list(counters.items()))
