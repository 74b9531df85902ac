"""Lines out of a byte stream, whatever its pieces; a long line costs no more than its length."""


class LineSplitter:
    """Feed it pieces of a stream; it gives the complete lines, without their line ends."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the non-blank lines that *piece* completes."""
        *complete, rest = piece.split(b"\n")
        if complete and self._partial:
            complete[0] = b"".join([*self._partial, complete[0]])
            self._partial.clear()
        if rest:
            self._partial.append(rest)
        return [line for line in complete if line and not line.isspace()]

    def rest(self) -> bytes:
        """What came after the last line end."""
        return b"".join(self._partial)
