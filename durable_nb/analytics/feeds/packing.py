"""How rows come packed: one text for each column, made by the database.

It spares a Python object for every value, which takes half of the time of reading rows one by one and holds the
interpreter meanwhile. JSON holds no separator; a name of a user may, and then the columns do not agree in their length,
and the rows are read one by one.
"""

from __future__ import annotations

from typing import NamedTuple

SEPARATOR = "\x1e"
"""Between the values of a column."""

NULLABLE = frozenset({"user_metadata", "failure", "heartbeat_details", "memo", "search_attributes", "transient"})
"""Columns that may be unset; '' stands for that, in packs and in streams."""


class Packed(NamedTuple):
    """Many rows, column by column."""

    size: int
    """Number of rows."""
    columns: tuple[str | None, ...]
    """For each column of the table that comes from the store its values, numbers joined by commas and texts by
    ``SEPARATOR``; None where all are unset."""
