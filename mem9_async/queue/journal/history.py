"""What happened to jobs, as long as there is room: a row for each step of a batch.

It outlives the jobs, so that one that was delivered yesterday can still be told about. It holds no
content, no key and no words of a server. A row is written in the transaction of the step it tells.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace

from pydantic_core import from_json, to_json

from mem9_async.models.history import Attempt, Step, StepKind
from mem9_async.queue.journal.file import JournalFile

_ID_BYTES = 16
KEPT_MOST = 20_000  # rows: with full batches 400,000 jobs
_MATCHES_MOST = 1_000
_REFERENCES_MOST = 50  # of one row

Names = Callable[[int], tuple[str, str]]


class History:
    """The steps of one journal's jobs, and the references that people gave them."""

    def __init__(self, file: JournalFile, names: Names) -> None:
        """*names* gives the fingerprints of a lane's space and of the lane."""
        self._file = file
        self._db = file.db
        self._names = names
        # Most people give none: then nothing is asked.
        self._any = self._db.execute("SELECT 1 FROM refs LIMIT 1").fetchone() is not None

    # References

    def refer(self, job_id: bytes, reference: str) -> None:
        """Remember the job's *reference*; belongs inside the transaction that takes it in."""
        self._db.execute("INSERT OR IGNORE INTO refs VALUES (?, ?)", (job_id, reference))
        self._any = True

    def references(self, job_ids: Iterable[bytes]) -> dict[bytes, str]:
        """The references of those of *job_ids* that are here and have one."""
        if not self._any:
            return {}
        found = {}
        for job_id in job_ids:
            row = self._db.execute(
                "SELECT reference FROM refs WHERE job_id = ?", (job_id,)
            ).fetchone()
            if row is not None:
                found[job_id] = str(row[0])
        return found

    # Writing, inside the transaction of the step

    def attempted(
        self,
        row: int,
        kind: StepKind,
        attempt: Attempt | None,
        *,
        leaving: bool = False,
        next_at: float | None = None,
        reason: str | None = None,
    ) -> None:
        """Add what *attempt* came to for every job of the batch *row*; nothing without one."""
        if attempt is not None:
            step = Step(kind, attempt.at, None, attempt, next_at, reason)
            self.of_batch(row, step, leaving=leaving)

    def of_batch(self, row: int, step: Step, *, leaving: bool = False) -> None:
        """Add *step* for every job of the batch *row*; *leaving* when they go with it."""
        job_ids = [
            found[0]
            for found in self._db.execute(
                "SELECT job_id FROM jobs WHERE batch_row = ? ORDER BY seq", (row,)
            )
        ]
        batch = self._db.execute(
            "SELECT batch_id, lane_id FROM batches WHERE batch_row = ?", (row,)
        ).fetchone()
        if batch is not None:
            self.add(replace(step, batch_id=batch[0].hex()), job_ids, batch[1], leaving=leaving)

    def add(
        self, step: Step, job_ids: Sequence[bytes], lane_id: int, *, leaving: bool = False
    ) -> None:
        """Add *step* for *job_ids*, all of one lane; *leaving* when they go with it."""
        if not job_ids:
            return
        space, lane = self._names(lane_id)
        referred = self.references(job_ids) if leaving else {}
        if referred:
            self._db.executemany(
                "DELETE FROM refs WHERE job_id = ?", [(each,) for each in referred]
            )
        detail = {name: value for name, value in asdict(step).items() if value is not None}
        for name in ("kind", "at", "batch_id"):
            detail.pop(name, None)
        if referred:
            kept = list(referred.items())[:_REFERENCES_MOST]
            detail["references"] = {job_id.hex(): told for job_id, told in kept}
        self._db.execute(
            "INSERT INTO history (at, kind, batch_id, jobs, space, lane, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                step.at,
                step.kind,
                step.batch_id,
                b"".join(job_ids),
                space,
                lane,
                to_json(detail).decode(),
            ),
        )

    def trim(self, most: int = KEPT_MOST) -> None:
        """Forget all but the newest *most* rows."""
        with self._file.transaction():
            self._db.execute(
                "DELETE FROM history WHERE n <= (SELECT max(n) FROM history) - ?", (most,)
            )

    # Reading

    def of(self, job_id: bytes) -> tuple[list[Step], tuple[str, str] | None, str | None]:
        """The job's steps, oldest first; its space and lane; its reference. As far as is known."""
        steps: list[Step] = []
        place: tuple[str, str] | None = None
        reference = self.references([job_id]).get(job_id)
        for at, kind, batch_id, jobs, space, lane, detail in self._db.execute(
            "SELECT at, kind, batch_id, jobs, space, lane, detail FROM history"
            " WHERE instr(jobs, ?) ORDER BY n",
            (job_id,),
        ):
            if job_id not in _split(jobs):
                continue
            place = (space, lane)
            told = from_json(detail)
            reference = told.pop("references", {}).get(job_id.hex(), reference)
            step = _step(kind, at, batch_id, told)
            if step not in steps:  # an adoption that was broken off copies a row twice
                steps.append(step)
        return sorted(steps, key=lambda step: step.at), place, reference

    def referring(self, reference: str) -> list[bytes]:
        """The jobs with this reference, here or gone, as far as is known."""
        found = [
            row[0]
            for row in self._db.execute(
                "SELECT job_id FROM refs WHERE reference = ? LIMIT ?", (reference, _MATCHES_MOST)
            )
        ]
        for (detail,) in self._db.execute(
            "SELECT detail FROM history WHERE instr(detail, ?) LIMIT ?",
            (to_json(reference).decode(), _MATCHES_MOST),
        ):
            told = from_json(detail).get("references", {})
            found += [bytes.fromhex(name) for name, each in told.items() if each == reference]
        return list(dict.fromkeys(found))

    # Adoption

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Every row, oldest first, as take() takes them."""
        yield from self._db.execute(
            "SELECT at, kind, batch_id, jobs, space, lane, detail FROM history ORDER BY n"
        )

    def take(self, other: "History") -> None:
        """Copy the steps and references of *other*, inside a transaction of ours."""
        self._db.executemany(
            "INSERT INTO history (at, kind, batch_id, jobs, space, lane, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            other.rows(),
        )
        referred = other._db.execute("SELECT job_id, reference FROM refs").fetchall()
        self._db.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?)", referred)
        self._any = self._any or bool(referred)


def _split(jobs: bytes) -> list[bytes]:
    return [jobs[at : at + _ID_BYTES] for at in range(0, len(jobs), _ID_BYTES)]


def _step(kind: str, at: float, batch_id: str | None, told: dict[str, object]) -> Step:
    attempt = told.get("attempt")
    next_at = told.get("next_at")
    reason = told.get("reason")
    return Step(
        StepKind(kind),
        at,
        batch_id,
        Attempt(**attempt) if isinstance(attempt, dict) else None,
        next_at if isinstance(next_at, float | int) else None,
        str(reason) if reason is not None else None,
    )
