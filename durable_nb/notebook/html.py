"""Blocks as HTML that survives everywhere: tables and inline style, no script, style sheet, SVG or image.

JupyterLab's sanitizer strips what an untrusted notebook may not have; what is used here stays readable even with every
``style`` removed, because bars are characters and states are words. Invariant: each string of a block passes through
``escape`` exactly once, here. Colours come from Lab's theme variables with a fallback for front ends without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as _escape
from itertools import groupby

from durable_nb.notebook.blocks import Block, Fields, Message, Table, Timeline, Title
from durable_nb.notebook.lanes import LEGEND, Lane, lane_cells
from durable_nb.notebook.plain import lane_note
from durable_nb.notebook.text import format_duration, format_instant

TIMELINE_WIDTH = 72

_TONES = {
    "good": "color:var(--jp-success-color1,#2e7d32)",
    "bad": "color:var(--jp-error-color1,#c62828)",
    "busy": "color:var(--jp-brand-color1,#1565c0)",
    "warn": "color:var(--jp-warn-color1,#b26a00)",
}
_CELLS = {
    "run": "color:var(--jp-success-color1,#2e7d32)",
    "run-failed": "color:var(--jp-error-color1,#c62828)",
    "run-timed_out": "color:var(--jp-error-color1,#c62828)",
    "run-lost": "color:var(--jp-error-color1,#c62828)",
    "run-canceled": "color:var(--jp-warn-color1,#b26a00)",
    "queued": "color:var(--jp-ui-font-color3,#8a8a8a)",
    "backoff": "color:var(--jp-warn-color1,#b26a00)",
    "wait": "color:var(--jp-brand-color1,#1565c0)",
    "child": "color:var(--jp-brand-color1,#1565c0)",
}
_LEFT = "text-align:left;vertical-align:top;padding:2px 8px"
_BAR = "font-family:var(--jp-code-font-family,monospace);white-space:pre"


def escape(text: str) -> str:
    """Text for element content and quoted attributes; line feeds become ``<br>``."""
    return _escape(text, quote=True).replace("\n", "<br>")


def render_html(blocks: Sequence[Block]) -> str:
    """The blocks in one ``<div>``."""
    return "<div>" + "".join(part for part in map(_render, blocks) if part) + "</div>"


def _render(block: Block) -> str:
    if isinstance(block, Title):
        return _title(block)
    if isinstance(block, Fields):
        rows = "".join(
            f'<tr><th style="{_LEFT}" scope="row">{escape(name)}</th><td style="{_LEFT}">{escape(value)}</td></tr>'
            for name, value in block.pairs
        )
        return f"<table><tbody>{rows}</tbody></table>" if rows else ""
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Message):
        title = f"<b>{escape(block.title)}</b><br>" if block.title else ""
        return f'<p style="{_TONES.get(block.tone, "")}">{title}{escape(block.text)}</p>'
    return _timeline(block)


def _title(block: Title) -> str:
    state = f' <b style="{_TONES.get(block.tone, "")}">{escape(block.state)}</b>' if block.state else ""
    name = f" <code>{escape(block.name)}</code>" if block.name else ""
    return f"<p><b>{escape(block.kind)}</b>{name}{state}</p>"


def _table(block: Table) -> str:
    title = f"<p><b>{escape(block.title)}</b></p>" if block.title else ""
    note = f"<p>{escape(block.note)}</p>" if block.note else ""
    if not block.rows:
        return title + note
    head = "".join(f'<th style="{_LEFT}" scope="col">{escape(cell)}</th>' for cell in block.header)
    rows = "".join(
        "<tr>" + "".join(f'<td style="{_LEFT}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in block.rows
    )
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"


def _timeline(block: Timeline) -> str:
    if not block.lanes:
        return ""
    rows = "".join(_lane(lane, block) for lane in block.lanes)
    more = f"<p>… and {block.more:,} more</p>" if block.more else ""
    caption = (
        f"timeline from {format_instant(block.start, milliseconds=True)}, {format_duration(block.end - block.start)}"
    )
    legend = f"<p><small>{escape(LEGEND)}</small></p>"
    return f"<p><b>{escape(caption)}</b></p><table><tbody>{rows}</tbody></table>{more}{legend}"


def _lane(lane: Lane, block: Timeline) -> str:
    cells = lane_cells(lane, block.start, block.end, TIMELINE_WIDTH)
    bar = ""
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        # No-break spaces keep the bar in its place where a sanitizer removed ``white-space:pre``.
        glyphs = escape("".join(glyph for glyph, _ in run).replace(" ", "\xa0"))
        bar += f'<span style="{_CELLS[style]}">{glyphs}</span>' if style else glyphs
    return (
        f'<tr><th style="{_LEFT}" scope="row">{escape(lane.label)}</th>'
        f'<td style="{_LEFT};{_BAR}"><code>{bar}</code></td><td style="{_LEFT}">{escape(lane_note(lane))}</td></tr>'
    )
