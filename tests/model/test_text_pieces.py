"""Text of which the beginning and the end are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durable_nb.model.text_pieces import HEAD, TAIL, Pieces

streams = st.sampled_from(["stdout", "stderr", "log"])
texts = st.tuples(streams, st.integers(0, 30_000), st.characters()).map(lambda t: (t[0], t[2] * t[1]))


@given(st.lists(texts, max_size=12))
def test_whatever_is_written_the_beginning_and_the_end_are_kept(writes: list[tuple[str, str]]) -> None:
    pieces = Pieces()
    for stream, text in writes:
        if text:
            pieces.write(stream, text)
    whole = "".join(text for _, text in writes)
    kept = "".join(text for stream, text in pieces.all() if stream != "cut")
    assert pieces.written == len(whole)
    assert len(kept) == len(whole) - pieces.cut
    if pieces.cut:
        assert kept == whole[:HEAD] + whole[-TAIL:]
        assert [stream for stream, _ in pieces.all()].count("cut") == 1
    else:
        assert kept == whole


def test_many_short_texts_become_few_pieces() -> None:
    pieces = Pieces()
    for number in range(2000):
        pieces.write("stdout", f"{number}\n")
    assert len(pieces.all()) < 10
