"""Rows straight from a file's pages, where the tree that leads to them is damaged.

SQLite's file format, as far as the journal uses it: pages of 4096 bytes, auto_vacuum (so that
a pointer map tells which pages are in use), UTF-8. https://www.sqlite.org/fileformat2.html
"""

import struct
from collections.abc import Iterator

PAGE_BYTES = 4096
_LEAF_OF_A_TABLE = 0x0D
_MAPPED = PAGE_BYTES // 5  # pages that one page of the pointer map tells about
_IN_USE = (1, 5)  # the root of a tree, or another page of one
_LOCAL_MOST, _LOCAL_LEAST = PAGE_BYTES - 35, (PAGE_BYTES - 12) * 32 // 255 - 23
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_OVERFLOW_PAGES_MOST = 512

_Value = int | float | bytes | str | None


def rows(raw: bytes) -> Iterator[list[_Value]]:
    """Every row of every table with numbered rows, its number in the first column.

    Pages that are free, and cells that make no sense, are passed over.
    """
    for page in range(3, len(raw) // PAGE_BYTES + 1):
        start = (page - 1) * PAGE_BYTES
        if raw[start] != _LEAF_OF_A_TABLE or not _in_use(raw, page):
            continue
        cells = int.from_bytes(raw[start + 3 : start + 5], "big")
        for cell in range(min(cells, PAGE_BYTES // 4)):
            at = int.from_bytes(raw[start + 8 + 2 * cell : start + 10 + 2 * cell], "big")
            try:
                yield _row(raw, start, at)
            except (IndexError, ValueError, struct.error):
                continue


def with_log(raw: bytearray, log: bytes) -> bytearray:
    """The file with all that its write-ahead log has committed, checksums aside."""
    salts, frames, pages = log[16:24], dict[int, int](), dict[int, int]()
    for at in range(32, len(log) - PAGE_BYTES - 23, PAGE_BYTES + 24):
        page, commit = struct.unpack_from(">II", log, at)
        if log[at + 8 : at + 16] != salts or not 0 < page < 1 << 24:
            break
        frames[page] = at + 24
        if commit:
            pages |= frames
    if pages:
        raw.extend(bytes(max(0, max(pages) * PAGE_BYTES - len(raw))))
    for page, at in pages.items():
        raw[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = log[at : at + PAGE_BYTES]
    return raw


def _in_use(raw: bytes, page: int) -> bool:
    part, place = divmod(page - 2, _MAPPED + 1)
    if place == 0:  # a page of the map itself
        return False
    at = (1 + part * (_MAPPED + 1)) * PAGE_BYTES + 5 * (place - 1)
    return raw[at] in _IN_USE


def _row(raw: bytes, start: int, at: int) -> list[_Value]:
    page = raw[start : start + PAGE_BYTES]
    size, at = _varint(page, at)
    number, at = _varint(page, at)
    local = size
    if size > _LOCAL_MOST:
        local = _LOCAL_LEAST + (size - _LOCAL_LEAST) % (PAGE_BYTES - 4)
        local = local if local <= _LOCAL_MOST else _LOCAL_LEAST
    record = page[at : at + local]
    if local < size:
        record += _overflow(raw, int.from_bytes(page[at + local : at + local + 4], "big"))
    if len(record) < size:
        raise ValueError("the cell is cut off")
    first, *others = _values(record[:size])
    if first is not None:
        raise ValueError("the number is stored beside the record, not in it")
    return [number, *others]


def _overflow(raw: bytes, page: int) -> bytes:
    parts: list[bytes] = []
    while page and len(parts) < _OVERFLOW_PAGES_MOST:
        whole = raw[(page - 1) * PAGE_BYTES : page * PAGE_BYTES]
        parts.append(whole[4:])
        page = int.from_bytes(whole[:4], "big")
    return b"".join(parts)


def _values(record: bytes) -> Iterator[_Value]:
    header, at = _varint(record, 0)
    body = header
    while at < header:
        kind, at = _varint(record, at)
        size = _INTEGER_BYTES.get(kind, 0)
        if kind == 7:
            size = 8
        elif kind >= 12:
            size = (kind - 12) // 2
        value = record[body : body + size]
        if len(value) < size:
            raise ValueError("the record is cut off")
        body += size
        yield _value(kind, value)


def _value(kind: int, value: bytes) -> _Value:
    if kind == 7:
        number: float = struct.unpack(">d", value)[0]
        return number
    if kind >= 12:
        return value.decode() if kind % 2 else value
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(value, "big", signed=True) if kind else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, at + 9
