"""Statements that write many rows in one step.

Python's sqlite3 releases the GIL around every step of a statement, and ``executemany`` makes one step per row; with a
busy engine thread each release may cost a turn of the GIL (5 ms). So rows go into the text: ``VALUES (…),(…),…``. The
numbers of rows are exact up to 16 and multiples of 16 up to the largest chunk, hence at most two steps for up to 256
rows, and at most some 30 texts per statement, which the driver keeps compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

_EXACT = 16


class BatchStatement:
    """``head row, row, … tail`` with as many rows as there are parameters for.

    Parameters
    ----------
    row
        Text of one row; its question marks are the parameters of a row.
    largest
        Most rows in one step, a multiple of 16.
    """

    __slots__ = ("_head", "_largest", "_row", "_separator", "_tail", "_texts", "width")

    def __init__(self, head: str, row: str, tail: str = "", *, separator: str = ",", largest: int = 256) -> None:
        self.width = row.count("?")
        self._head, self._row, self._tail, self._separator = head, row, tail, separator
        self._largest = largest
        self._texts: dict[int, str] = {}

    def execute(self, cursor: sqlite3.Cursor, parameters: list[Any]) -> int:
        """Run for all rows, whose parameters stand one after the other; returns the number of rows changed."""
        rows = len(parameters) // self.width
        if rows <= _EXACT:
            cursor.execute(self.text(rows), parameters)
            return cursor.rowcount
        changed = done = 0
        while done < rows:
            left = rows - done
            chunk = left if left <= _EXACT else min(self._largest, left - left % _EXACT)
            cursor.execute(self.text(chunk), parameters[done * self.width : (done + chunk) * self.width])
            changed += cursor.rowcount
            done += chunk
        return changed

    def text(self, rows: int) -> str:
        """SQL for that many rows; the same string object each time, so that the driver finds it by its known hash."""
        text = self._texts.get(rows)
        if text is None:
            text = self._texts[rows] = f"{self._head} {self._separator.join([self._row] * rows)}{self._tail}"
        return text
