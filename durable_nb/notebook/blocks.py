"""What a view is made of, before anybody decides how to draw it: titles, fields, tables, messages, timelines.

``views`` turns values of the model into blocks; ``plain`` and ``html`` draw blocks. So text and HTML cannot drift
apart, and escaping has one place each. Invariant: every string in a block went through ``text.safe_text`` already.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from durable_nb.analytics.lanes import Lane
from durable_nb.analytics.time_axis import TimeAxis


class Title(NamedTuple):
    """First line of a view: ``kind`` and ``name`` of the thing and its state."""

    kind: str
    name: str
    state: str = ""
    tone: str = ""
    """``good``, ``bad``, ``busy`` or "" ."""


class Fields(NamedTuple):
    """Facts by name."""

    pairs: list[tuple[str, str]]


class Table(NamedTuple):
    """Rows under a header; ``caps`` limits the width of columns in text, by index."""

    title: str
    header: list[str]
    rows: list[list[str]]
    caps: Mapping[int, int] = MappingProxyType({})
    note: str = ""


class Message(NamedTuple):
    """A paragraph of one or more lines. ``tone`` as in Title."""

    text: str
    tone: str = ""
    title: str = ""


class Preformatted(NamedTuple):
    """Lines that keep their blanks: output of programs."""

    text: str


class Listing(NamedTuple):
    """Lines of source or of a difference, as they stand; each with a tone as in Title."""

    lines: list[tuple[str, str]]
    title: str = ""


class Timeline(NamedTuple):
    """Lanes over one time axis; ``more`` counts lanes that were left out."""

    lanes: list[Lane]
    axis: TimeAxis
    more: int = 0


Block = Title | Fields | Table | Message | Preformatted | Listing | Timeline
