"""Blocks as HTML that survives everywhere: tables and inline style, no script, style sheet, SVG or image.

JupyterLab's sanitizer strips what an untrusted notebook may not have; what is used here stays readable even with every
``style`` removed, because bars are characters and states are words. Invariant: each string of a block passes through
``escape`` exactly once, here. Colours come from Lab's theme variables with a fallback for front ends without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as _escape
from itertools import groupby

from durable_nb.analytics.lane_cells import lane_cells
from durable_nb.analytics.lanes import Lane
from durable_nb.analytics.strip import STYLES, Strip
from durable_nb.notebook.blocks import Block, Fields, Listing, Message, Preformatted, Table, Timeline, Title
from durable_nb.notebook.plain import axis_caption, lane_note, legend

TIMELINE_WIDTH = 72


def _color(lab: str, vscode: str, fallback: str) -> str:
    """A colour of the theme, drawn towards the colour of text: alone, Lab's are too pale to read on a white page.

    Lab's sanitizer keeps a colour only where the name of one stands in it; those of VS Code's charts have one.
    """
    found = f"var(--jp-{lab},var(--vscode-{vscode},{fallback}))"
    text = "var(--jp-ui-font-color1,var(--vscode-foreground,currentcolor))"
    return f"color:color-mix(in srgb,{found} 72%,{text})"


_GOOD = _color("success-color1", "charts-green", "#2e7d32")
_BAD = _color("error-color1", "charts-red", "#c62828")
_BUSY = _color("brand-color1", "charts-blue", "#1565c0")
_WARN = _color("warn-color1", "charts-orange", "#b26a00")
_DIM = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,dimgray))"

_TONES = {"good": _GOOD, "bad": _BAD, "busy": _BUSY, "warn": _WARN}
_CELLS = {
    "run": _GOOD,
    "run-failed": _BAD,
    "run-timed_out": _BAD,
    "run-lost": _BAD,
    "run-canceled": _WARN,
    "queued": _DIM,
    "backoff": _WARN,
    "wait": _BUSY,
    "break": _DIM,
    "child": _BUSY,
}
_TABLE = '<table style="margin-left:0">'
_LEFT = "text-align:left;vertical-align:top;padding:2px 8px"
_HEAD = f"{_LEFT};white-space:nowrap"
_LONG = f"{_LEFT};overflow-wrap:anywhere"
_BAR = "font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,monospace));white-space:pre"

_LINES = "line-height:1.3;white-space:pre;overflow-x:auto"

SHORT = 30
"""Characters of a cell that is never broken into lines: an ID, a time, a type."""


def escape(text: str) -> str:
    """Text for element content and quoted attributes; line feeds become ``<br>``."""
    return _escape(text, quote=True).replace("\n", "<br>")


def render_html(blocks: Sequence[Block]) -> str:
    """The blocks in one ``<div>``."""
    return "<div>" + "".join(part for part in map(_render, blocks) if part) + "</div>"


def stand_in(css_class: str, html: str) -> str:
    """Readable output for where the widget below it cannot live; hidden while that does live (``hide_stand_in``).

    Below it JupyterLab would say "model not found" where there is no kernel; the style hides that. A sanitizer that
    drops the style does no harm: it does not draw widgets either.
    """
    dead = ".jupyter-widgets.jp-OutputArea-output:not(:has(*))"
    style = f".jp-OutputArea-child:has(.{css_class})+.jp-OutputArea-child>{dead}{{display:none}}"
    return f'<div class="{css_class}"><style>{style}</style>{html}</div>'


def hide_stand_in(css_class: str) -> str:
    """A style sheet that hides the output of ``stand_in`` for as long as it is on the page."""
    return f"<style>.{css_class},.jp-OutputArea-child:has(.{css_class}){{display:none}}</style>"


def inside_widget(html: str) -> str:
    """HTML for an ``ipywidgets.HTML``: looking like other output, with lines closer than those of a row of controls."""
    return f'<div class="jp-RenderedHTMLCommon" style="line-height:1.45;padding:0">{html}</div>'


def _render(block: Block) -> str:
    if isinstance(block, Title):
        return _title(block)
    if isinstance(block, Fields):
        rows = "".join(
            f'<tr><th style="{_HEAD}" scope="row">{escape(name)}</th><td style="{_LONG}">{escape(value)}</td></tr>'
            for name, value in block.pairs
        )
        return f"{_TABLE}<tbody>{rows}</tbody></table>" if rows else ""
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Message):
        title = f"<b>{escape(block.title)}</b><br>" if block.title else ""
        return f'<p style="{_TONES.get(block.tone, "")}">{title}{escape(block.text)}</p>'
    if isinstance(block, Preformatted):
        return f"<pre>{_escape(block.text)}</pre>"
    if isinstance(block, Listing):
        return _listing(block)
    return _timeline(block)


def _listing(block: Listing) -> str:
    title = f"<p><b>{escape(block.title)}</b></p>" if block.title else ""
    lines = "".join(
        f'<span style="{_TONES[tone]}">{_escape(line)}</span>\n' if tone in _TONES else f"{_escape(line)}\n"
        for line, tone in block.lines
    )
    if not lines:
        return title
    return f'{title}<pre style="{_LINES};margin-bottom:.7em"><code style="white-space:pre">{lines}</code></pre>'


def _title(block: Title) -> str:
    state = f' <b style="{_TONES.get(block.tone, "")}">{escape(block.state)}</b>' if block.state else ""
    name = f" <code>{escape(block.name)}</code>" if block.name else ""
    return f"<p><b>{escape(block.kind)}</b>{name}{state}</p>"


def _table(block: Table) -> str:
    title = f"<p><b>{escape(block.title)}</b></p>" if block.title else ""
    note = f"<p>{escape(block.note)}</p>" if block.note else ""
    if not block.rows:
        return title + note
    head = "".join(f'<th style="{_HEAD}" scope="col">{escape(cell)}</th>' for cell in block.header)
    rows = "".join("<tr>" + "".join(map(_data, row)) + "</tr>" for row in block.rows)
    return f"{title}{_TABLE}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"


def _data(text: str) -> str:
    if not isinstance(text, Strip):
        return f'<td style="{_HEAD if len(text) <= SHORT else _LONG}">{escape(text)}</td>'
    cells = [(glyph, STYLES[state]) for glyph, state in zip(text, text.states, strict=True)]
    bar = f'<span style="{_BAR}" title="{escape(text.summary)}"><code>{_cells(cells)}</code></span>'
    return f'<td style="{_LEFT}">{bar}</td>'


def _timeline(block: Timeline) -> str:
    if not block.lanes:
        return ""
    rows = "".join(_lane(lane, block) for lane in block.lanes)
    more = f"<p>… and {block.more:,} more</p>" if block.more else ""
    caption = f"<p><b>{escape(axis_caption(block.axis))}</b></p>"
    below = f"<p><small>{escape(legend(block.axis))}</small></p>"
    return f"{caption}{_TABLE}<tbody>{rows}</tbody></table>{more}{below}"


def _lane(lane: Lane, block: Timeline) -> str:
    cells = lane_cells(lane, block.axis, TIMELINE_WIDTH)
    bar = _cells(cells)
    return (
        f'<tr><th style="{_HEAD}" scope="row">{escape(lane.label)}</th>'
        f'<td style="{_LEFT};{_BAR}"><code>{bar}</code></td><td style="{_LEFT}">{escape(lane_note(lane))}</td></tr>'
    )


def _cells(cells: Sequence[tuple[str, str]]) -> str:
    """Characters with their classes; what has one class is one element."""
    bar = ""
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        # No-break spaces keep the bar in its place where a sanitizer removed ``white-space:pre``.
        glyphs = escape("".join(glyph for glyph, _ in run).replace(" ", "\xa0"))
        bar += f'<span style="{_CELLS[style]}">{glyphs}</span>' if style else glyphs
    return bar
