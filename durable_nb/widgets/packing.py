"""A layout as one block of bytes for the browser, and back for tests and tools.

Form, version 1: ``DNTL``, the length of the header (uint32), a JSON header, then columns of numbers, each aligned to
eight bytes, all little-endian. The header names each column with its type, offset from the first column and count:
``{"columns": {"bar_start": ["f8", 0, 4000], …}}``. Instants are microseconds after ``start``. Texts are indexes into
one table of UTF-8 strings; text 0 is empty. A reader refuses a version that it does not know.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from durable_nb.errors import NotebookError
from durable_nb.widgets.layout import Layout

VERSION = 1
MAGIC = b"DNTL"

GROUP_KINDS = ("workflow", "activity", "child", "timer")
LANE_KINDS = ("workflow", "messages", "activity", "child", "timer")
BAR_KINDS = ("workflow", "queued", "run", "backoff", "wait", "child")
MARK_KINDS = ("start", "close", "signal", "update", "task", "cancel", "marker", "external")
OUTCOMES = ("", "completed", "failed", "timed_out", "canceled", "lost", "fired")
"""Meaning of the bytes in the columns; part of the form, so new words go to the end."""

_TEXT_COLUMNS = (
    "group_label",
    "lane_label",
    "lane_ident",
    "lane_run",
    "lane_owner",
    "bar_note",
    "mark_label",
    "mark_note",
)
_CODES = {"f8": "d", "u4": "I", "i4": "i", "u1": "B"}


class _Texts:
    """Each different text once, in order of first use."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {"": 0}

    def column(self, texts: Iterable[str]) -> list[int]:
        index = self._index
        return [index.setdefault(text, len(index)) for text in texts]

    def blob(self) -> tuple[list[int], bytes]:
        encoded = [text.encode("utf-8", "backslashreplace") for text in self._index]
        offsets = [0]
        for part in encoded:
            offsets.append(offsets[-1] + len(part))
        return offsets, b"".join(encoded)


def pack(layout: Layout) -> bytes:
    """The layout as bytes; the same layout gives the same bytes."""
    base = layout.axis.start
    texts = _Texts()
    columns = _columns(layout, base, texts)
    offsets, blob = texts.blob()
    columns.append(("text_offset", "u4", offsets))
    run = layout.run
    header: dict[str, Any] = {
        "version": VERSION,
        "start": base,
        "end": layout.axis.end - base,
        "now": layout.now - base,
        "open": run.close_time == 0,
        "status": run.status.name,
        "workflow_id": _header_text(run.workflow_id),
        "run_id": _header_text(run.run_id),
        "workflow_type": _header_text(run.workflow_type),
        "columns": {},
    }
    body = bytearray()
    for name, kind, values in columns:
        header["columns"][name] = [kind, len(body), len(values)]
        numbers = array(_CODES[kind], values)
        if sys.byteorder == "big":
            numbers.byteswap()
        body += numbers.tobytes()
        body += bytes(-len(body) % 8)
    header["texts"] = [len(body), len(blob)]
    body += blob
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-(len(head) + 8) % 8)
    return b"".join((MAGIC, len(head).to_bytes(4, "little"), head, bytes(body)))


def _header_text(text: str) -> str:
    """A text for the header: JSON escapes everything but a lone surrogate, which UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def _columns(layout: Layout, base: int, texts: _Texts) -> list[tuple[str, str, list[Any]]]:
    groups, rows, bars, marks = layout.groups, layout.rows, layout.bars, layout.marks
    group_kinds, lane_kinds, bar_kinds, mark_kinds, outcomes = (
        {word: number for number, word in enumerate(words)}
        for words in (GROUP_KINDS, LANE_KINDS, BAR_KINDS, MARK_KINDS, OUTCOMES)
    )
    lost = outcomes["lost"]
    return [
        ("group_label", "u4", texts.column(group.label for group in groups)),
        ("group_parent", "i4", [group.parent for group in groups]),
        ("group_kind", "u1", [group_kinds[group.kind] for group in groups]),
        ("group_depth", "u1", [min(group.depth, 255) for group in groups]),
        ("lane_group", "u4", [row.group for row in rows]),
        ("lane_label", "u4", texts.column(row.label for row in rows)),
        ("lane_ident", "u4", texts.column(row.ident for row in rows)),
        ("lane_run", "u4", texts.column(row.run_id for row in rows)),
        ("lane_owner", "u4", texts.column(row.owner for row in rows)),
        ("lane_event", "u4", [row.event_id for row in rows]),
        ("lane_kind", "u1", [lane_kinds[row.kind] for row in rows]),
        ("bar_start", "f8", [bar.start - base for bar in bars]),
        ("bar_end", "f8", [bar.end - base for bar in bars]),
        ("bar_lane", "u4", [bar.lane for bar in bars]),
        ("bar_note", "u4", texts.column(bar.note for bar in bars)),
        ("bar_attempt", "u4", [bar.attempt for bar in bars]),
        ("bar_kind", "u1", [bar_kinds[bar.kind] for bar in bars]),
        ("bar_outcome", "u1", [outcomes.get(bar.outcome, lost) for bar in bars]),
        ("mark_start", "f8", [mark.start - base for _, mark in marks]),
        ("mark_end", "f8", [mark.end - base for _, mark in marks]),
        ("mark_lane", "u4", [lane for lane, _ in marks]),
        ("mark_label", "u4", texts.column(mark.label for _, mark in marks)),
        ("mark_note", "u4", texts.column(mark.note for _, mark in marks)),
        ("mark_event", "u4", [mark.event_id for _, mark in marks]),
        ("mark_kind", "u1", [mark_kinds[mark.kind] for _, mark in marks]),
        ("mark_outcome", "u1", [outcomes.get(mark.outcome, lost) for _, mark in marks]),
        ("break_start", "f8", [gap.start - base for gap in layout.axis.breaks]),
        ("break_end", "f8", [gap.end - base for gap in layout.axis.breaks]),
        ("break_width", "f8", [gap.width for gap in layout.axis.breaks]),
    ]


def unpack(data: bytes) -> dict[str, Any]:
    """The header's fields, each column as a list, and ``texts``; columns of texts hold the texts themselves.

    Raises
    ------
    NotebookError
        DNB700: not a packed timeline, or of a version that this release does not know.
    """
    size = int.from_bytes(data[4:8], "little")
    if data[:4] != MAGIC or size > len(data) - 8:
        raise NotebookError("these bytes are not a packed timeline", fix="make them anew from the run")
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    if header["version"] != VERSION:
        raise NotebookError(
            f"the timeline has version {header['version']}, this release reads {VERSION}", fix="upgrade durable_nb"
        )
    body = memoryview(data)[8 + size :]
    columns: dict[str, list[Any]] = {}
    for name, (kind, offset, count) in header.pop("columns").items():
        numbers = array(_CODES[kind])
        numbers.frombytes(body[offset : offset + count * numbers.itemsize])
        if sys.byteorder == "big":
            numbers.byteswap()
        columns[name] = numbers.tolist()
    at, length = header.pop("texts")
    blob, offsets = bytes(body[at : at + length]), columns.pop("text_offset")
    texts = [blob[begin:end].decode() for begin, end in pairwise(offsets)]
    for name in (
        "group_label",
        "lane_label",
        "lane_ident",
        "lane_run",
        "lane_owner",
        "bar_note",
        "mark_label",
        "mark_note",
    ):
        columns[name] = [texts[index] for index in columns[name]]
    return {**header, **columns}
