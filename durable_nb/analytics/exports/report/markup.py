"""The only place where text becomes HTML: every string of a run passes through ``safe_text`` and ``escape`` here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from durable_nb.model.text import safe_text

LONG = 4000
"""Characters of a message or payload that a report shows."""


class Markup(str):
    """HTML made by this package; a plain ``str`` is text and gets escaped."""

    __slots__ = ()


def text(value: object, limit: int = 400, *, lines: bool = False) -> Markup:
    """A value as escaped text; with ``lines`` it keeps its line feeds (for ``<pre>``)."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(safe_text(value, limit, keep_lines=lines), quote=True))


def element(name: str, content: object = "", /, **attributes: object) -> Markup:
    """An element; attribute names lose a trailing ``_``, None leaves the attribute out."""
    written = "".join(
        f' {key.rstrip("_")}="{text(value, 2000)}"' for key, value in attributes.items() if value is not None
    )
    return Markup(f"<{name}{written}>{text(content, LONG)}</{name}>")


def join(parts: Iterable[Markup], between: str = "") -> Markup:
    """Pieces of markup, one after the other."""
    return Markup(between.join(parts))


def pre(value: object, limit: int = LONG) -> Markup:
    """Text with its lines."""
    return Markup(f"<pre>{text(value, limit, lines=True)}</pre>")


def state(word: str) -> Markup:
    """The badge of an outcome."""
    shown = (word or "running").replace("_", " ")
    return element("span", f"{SIGNS.get(word, '…')} {shown}", class_=f"state {TONES.get(word, 'busy')}")


SIGNS = {
    "completed": "✓",
    "fired": "✓",
    "continued_as_new": "↻",
    "failed": "✗",
    "timed_out": "◷",
    "canceled": "⊘",
    "terminated": "■",
    "lost": "☠",
    "abandoned": "–",
    "": "…",
}
TONES = {
    "completed": "good",
    "fired": "good",
    "continued_as_new": "good",
    "failed": "bad",
    "timed_out": "bad",
    "terminated": "bad",
    "lost": "bad",
    "canceled": "warn",
    "abandoned": "soft",
}


def table(
    header: Iterable[str], rows: Iterable[Iterable[object]], numbers: frozenset[int] = frozenset(), named: bool = False
) -> Markup:
    """A table; columns in ``numbers`` stand at the right, with ``named`` the first one has room for a name."""
    kinds = dict.fromkeys(numbers, "number")
    if named:
        kinds[0] = "name"
    head = join(element("th", name, class_=kinds.get(index), scope="col") for index, name in enumerate(header))
    body = join(
        Markup(f"<tr>{join(element('td', cell, class_=kinds.get(index)) for index, cell in enumerate(row))}</tr>")
        for row in rows
    )
    return Markup(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def facts(pairs: Iterable[tuple[str, object, bool]]) -> Markup:
    """A list of (name, value, whether it takes the whole line); empty values are left out."""
    parts = [
        element("dt", name) + element("dd", value, class_="wide" if wide else None)
        for name, value, wide in pairs
        if value
    ]
    return Markup(f'<dl class="facts">{"".join(parts)}</dl>')
