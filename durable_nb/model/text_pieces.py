"""Text that may grow without end, of which the beginning and the end are kept."""

from __future__ import annotations

from collections import deque

HEAD = 16_384
"""Characters kept of the beginning."""
TAIL = 49_152
"""Characters kept of the end."""

_PIECE = 4096


class Pieces:
    """Pairs of stream and text in the order of writing, at most ``HEAD`` and ``TAIL`` characters of them.

    Not safe for threads by itself.
    """

    __slots__ = ("_head", "_room", "_tail", "_tail_size", "cut", "written")

    def __init__(self) -> None:
        self._head: list[list[str]] = []
        self._tail: deque[list[str]] = deque()
        self._room = HEAD
        self._tail_size = 0
        self.written = 0
        """Characters in all."""
        self.cut = 0
        """Characters that were left out between the beginning and the end."""

    def write(self, stream: str, text: str) -> None:
        """Add a text at the end."""
        self.written += len(text)
        if self._room:
            taken = text[: self._room]
            self._room -= len(taken)
            _append(self._head, stream, taken)
            text = text[len(taken) :]
        if text:
            self._append_to_tail(stream, text)

    def all(self) -> list[list[str]]:
        """What was kept; where something was left out, a note under the stream ``cut`` stands in its place."""
        left_out = [["cut", f"… {self.cut:,} characters were left out …"]] if self.cut else []
        return [*self._head, *left_out, *self._tail]

    def _append_to_tail(self, stream: str, text: str) -> None:
        tail = self._tail
        if len(text) > TAIL:
            self.cut += len(text) - TAIL
            text = text[-TAIL:]
        _append(tail, stream, text)
        self._tail_size += len(text)
        while self._tail_size > TAIL:
            over = self._tail_size - TAIL
            first = tail[0]
            if len(first[1]) <= over:
                tail.popleft()
                over = len(first[1])
            else:
                first[1] = first[1][over:]
            self._tail_size -= over
            self.cut += over


def _append(pieces: list[list[str]] | deque[list[str]], stream: str, text: str) -> None:
    # Many short texts become few of some length; each is copied a few times at most.
    if pieces and pieces[-1][0] == stream and len(pieces[-1][1]) < _PIECE:
        pieces[-1][1] += text
    else:
        pieces.append([stream, text])
