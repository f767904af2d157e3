"""A statistic as one HTML file that needs no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_nb.analytics.statistics.statistic import Statistic

_STYLE = (
    ":root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:24px;background:Canvas;"
    "color:CanvasText}table{font-size:13px}pre{overflow-x:auto}"
)


def page(statistic: Statistic) -> str:
    """Figure, table and SQL; light or dark as the reader's system is."""
    figure = ""
    if len(statistic.frame):
        figure = statistic.figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{escape(statistic.title)}</title>"
        f"<style>{_STYLE}</style></head><body>{figure}{statistic.table_html()}</body></html>"
    )
