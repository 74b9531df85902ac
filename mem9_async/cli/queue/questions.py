"""Questions that need more than one answer: pages of several journals, whoever has a job."""

from mem9_async.cli.queue.targets import Replies, Reply, Targets
from mem9_async.models.inspection import (
    LISTED_MOST,
    FindAsk,
    Found,
    JobFilter,
    JobPage,
    JobRow,
    JobStory,
    ListAsk,
    ShowAsk,
)

_UNKNOWN = "nothing is known of job"


async def listed(
    targets: Targets, wanted: JobFilter, limit: int, after: str | None
) -> tuple[list[JobRow], Replies]:
    """The newest *limit* jobs of all targets together, behind *after*."""
    jobs: list[JobRow] = []
    while True:
        page = min(limit - len(jobs), LISTED_MOST)
        replies = await targets.ask(ListAsk(filter=wanted, limit=page, after=after))
        pages = [JobPage.model_validate(reply.result) for reply in replies.results]
        found = sorted((job for each in pages for job in each.jobs), key=_newest_first)[:page]
        # A page that ended early may lack jobs newer than the last of another one.
        jobs += found
        more = any(each.after is not None for each in pages) or sum(
            len(each.jobs) for each in pages
        ) > len(found)
        if len(jobs) >= limit or not more or not found:
            return jobs, replies
        after = found[-1].job_id


def _newest_first(job: JobRow) -> int:
    return -int(job.job_id, 16)


async def count(targets: Targets, wanted: JobFilter) -> tuple[int, Replies]:
    """How many jobs match."""
    found, after = 0, None
    while True:
        jobs, replies = await listed(targets, wanted, LISTED_MOST, after)
        found += len(jobs)
        if len(jobs) < LISTED_MOST:
            return found, replies
        after = jobs[-1].job_id


async def stories(
    targets: Targets, job_id: str | None, reference: str | None, *, content: bool
) -> tuple[list[JobStory], Replies]:
    """The story of a job, or of each job of a reference, by who knows most of it."""
    replies = Replies()
    job_ids = [job_id] if job_id else []
    if reference:
        replies = await targets.ask(FindAsk(reference=reference))
        found = (Found.model_validate(reply.result) for reply in replies.results)
        job_ids = sorted({each for one in found for each in one.job_ids})
    told: list[JobStory] = []
    for each in job_ids:
        replies = await targets.ask(ShowAsk(job_id=each, content=content))
        known = [JobStory.model_validate(reply.result) for reply in replies.results]
        if known:
            # A job that moved from one journal to another has left its past in both.
            told.append(max(known, key=lambda story: (story.age_s is not None, len(story.history))))
        replies.answered = [reply for reply in replies.answered if not _is_unknown(reply)] or [
            Reply(reply.name, reply.running) for reply in replies.answered
        ]
    return told, replies


def _is_unknown(reply: Reply) -> bool:
    return reply.problem is not None and reply.problem.startswith(_UNKNOWN)
