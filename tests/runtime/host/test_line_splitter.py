"""Lines survive any cutting of the stream."""

from hypothesis import given
from hypothesis import strategies as st

from mem9_async.runtime.host.line_splitter import LineSplitter


@given(
    st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and not line.isspace())),
    st.lists(st.integers(min_value=1, max_value=50)),
)
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    """The pieces in which a pipe delivers bytes carry no meaning."""
    stream = b"".join(line + b"\n\n" for line in lines)
    splitter, got, at = LineSplitter(), [], 0
    for cut in cuts:
        got += splitter.feed(stream[at : at + cut])
        at += cut
    got += splitter.feed(stream[at:])

    assert got == lines
    assert splitter.rest() == b""


def test_what_follows_the_last_line_end_is_the_rest() -> None:
    """A process killed while writing leaves half a line, and that is no line."""
    splitter = LineSplitter()

    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.rest() == b"tw"
