"""Colours of every front end: Lab's variable, else VS Code's, else our own; in widgets and in plain HTML."""

from __future__ import annotations

import re

import pytest

from durable_nb.notebook.blocks import Listing, Message, Title
from durable_nb.notebook.html import render_html
from durable_nb.widgets import assets

_CSS = re.compile(r"const \w*CSS = `(.*?)`", re.DOTALL)
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|:\s*(white|black|red|green|blue|gr[ae]y)\b")
_THEMED = re.compile(r"var\(--jp-[\w-]+,\s*var\(--vscode-[\w-]+,\s*[^()]*(\([^()]*\))?[^()]*\)\)")

SHEETS = {
    f"{path.name}-{number}": css
    for path in sorted(assets.FOLDER.glob("*.js"))
    for number, css in enumerate(_CSS.findall(path.read_text(encoding="utf-8")))
}


def literal_colors(css: str) -> list[str]:
    """Colours that no theme can change."""
    return [found.group() for found in _COLOR.finditer(_THEMED.sub("themed", css))]


def test_all_style_sheets_are_found() -> None:
    assert {name.split("-")[0] for name in SHEETS} == {"event", "live.js", "runs", "theme.js", "timeline"}


@pytest.mark.parametrize("css", SHEETS.values(), ids=SHEETS)
def test_a_style_sheet_takes_its_colours_from_the_theme(css: str) -> None:
    assert literal_colors(css) == []


@pytest.mark.parametrize("tone", ["good", "bad", "busy", "warn", ""])
def test_html_takes_its_colours_from_the_theme(tone: str) -> None:
    html = render_html([Title("run", "x", "state", tone), Message("text", tone), Listing([("line", tone)])])
    assert literal_colors(" ".join(re.findall(r'style="([^"]*)"', html))) == []


@pytest.mark.parametrize(
    "css",
    ["color: #fff", "color:var(--jp-x,#abc)", "color: var(--vscode-x, rgb(1, 2, 3))", "background: white"],
)
def test_a_colour_without_both_variables_is_found(css: str) -> None:
    assert literal_colors(css)
