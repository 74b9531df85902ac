"""Removes recalled memories from text on its way to mem9, and what it would take for a speaker.

mem9 strips `<relevant-memories>` blocks itself, but its loop never ends on a closing tag that
stands before an opening one (docs/reference/mem9-api.md, 3.4): neither may ever reach it.
"""

import re
from collections.abc import Sequence

from mem9_async.models.job import Message

_TAG = re.compile(r"<(/?)relevant-memories>")
_SPEAKER = re.compile(r"\n{2,}(?=[A-Za-z][A-Za-z0-9_-]*: )")
_ROLE = re.compile(r"\n+(?=(?:user|assistant|system|tool): )", re.IGNORECASE)
_MARK = "relevant-memories>"


def strip_recalled(text: str) -> str:
    """Return *text* without recalled blocks and without any left-over tag; "" if nothing stays.

    A closing tag ends the nearest open block, so nested blocks go whole. Where a tag has no
    partner only the tag goes: what stands beside it may be the user's own words.
    Text without tags comes back unchanged, so doing it twice changes nothing.
    """
    if _MARK not in text:
        return text
    kept: list[str] = []
    start = 0
    for cut_start, cut_end in _cuts(text):
        kept.append(text[start:cut_start])
        start = cut_end
    kept.append(text[start:])
    return _joined(kept).strip()


def join_speakers(text: str) -> str:
    """Return *text* so that no line of it begins another speaker for mem9.

    mem9 joins a turn's messages and parts them again at a blank line before `Word: `, and what
    such a speaker says is not the user's. The line joins the one before: the words all stay.
    """
    if ": " not in text or "\n" not in text:
        return text
    return _ROLE.sub(" ", _SPEAKER.sub("\n", text))


def strip_messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return *messages* in order, recalled blocks removed, each with one speaker.

    Those left empty are dropped.
    """
    stripped: list[Message] = []
    for message in messages:
        content = join_speakers(strip_recalled(message.content))
        if content == message.content:
            stripped.append(message)
        elif content:
            stripped.append(message.model_copy(update={"content": content}))
    return tuple(stripped)


def _cuts(text: str) -> list[tuple[int, int]]:
    """The spans to remove, in order, none inside another: blocks, and tags without a partner."""
    spans: list[tuple[int, int]] = []
    opened: list[tuple[int, int]] = []
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened.append(tag.span())
        elif opened:
            spans.append((opened.pop()[0], tag.end()))
        else:
            spans.append(tag.span())
    outermost: list[tuple[int, int]] = []
    for span in sorted(spans + opened):
        if not outermost or span[0] >= outermost[-1][1]:
            outermost.append(span)
    return outermost


def _joined(pieces: Sequence[str]) -> str:
    """The pieces with white space at every seam, or the halves of a tag could meet there."""
    text = ""
    parts: list[str] = []
    for piece in pieces:
        if not piece:
            continue
        if parts and not text[-1].isspace() and not piece[0].isspace():
            parts.append(" ")
        parts.append(piece)
        text = piece
    return "".join(parts)
