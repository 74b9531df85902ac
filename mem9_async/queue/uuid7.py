"""Time-ordered ids (UUID version 7, RFC 9562). Order never relies on them."""

import os
import time


def uuid7() -> bytes:
    """A new 16-byte id: 48 bits of milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    raw = bytearray(milliseconds.to_bytes(6, "big") + os.urandom(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return bytes(raw)
