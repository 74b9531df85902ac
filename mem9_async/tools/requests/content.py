"""What a memory may hold: the limits that storing and changing one have in common."""

from mem9_async.client.recalled_text import strip_recalled
from mem9_async.models.errors import InvalidRequest

MAX_PINNED_BYTES = 50_000  # one memory of mem9's; a turn may be longer, it is taken apart there
MAX_TAGS = 20  # mem9 refuses more on the pinned path


def own_words(content: str) -> str:
    """Return *content* without recalled memories; refuse it when nothing else was in it."""
    kept = strip_recalled(content).strip()
    if not kept:
        raise InvalidRequest(
            "content is required: it held only recalled memories, which are not stored again",
            code="content_required",
        )
    return kept


def checked_tags(tags: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return *tags* when mem9 takes as many."""
    if tags is not None and len(tags) > MAX_TAGS:
        raise InvalidRequest(
            f"{len(tags)} tags given; mem9 keeps at most {MAX_TAGS}", code="tags_too_many"
        )
    return tags


def checked_size(name: str, size_bytes: int, max_bytes: int) -> None:
    """Refuse a text that mem9 would cut or lose."""
    if size_bytes > max_bytes:
        raise InvalidRequest(
            f"{name} has {size_bytes} bytes; the limit is {max_bytes}. Shorten it, or store it in "
            "several calls.",
            code=f"{name}_too_large",
        )
