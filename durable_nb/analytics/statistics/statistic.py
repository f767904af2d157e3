"""An answer that shows itself: a frame, the SQL behind it, and a figure that is drawn when somebody looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.statistics.tables import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from durable_nb.analytics.access import Explorer

SHOWN_ROWS = 20


class Statistic:
    """What a function of ``durable_nb.stats`` returns.

    Attributes
    ----------
    name
        Name of the function.
    title
        What it says, with its filters.
    frame
        The answer, a pandas DataFrame; durations in seconds (columns end in ``_s``), instants in UTC.
    sql, params
        The query that gave it and its bound values: ``durable_nb.sql(stat.sql, stat.params)`` gives the frame again.
    figure
        A plotly figure, made when first asked for; ``figure.write_html`` and the like are plotly's.

    In a notebook it shows the figure, or a table where no JavaScript runs; ``print`` gives the table as text.
    """

    def __init__(
        self,
        name: str,
        title: str,
        frame: pd.DataFrame,
        sql: str,
        params: Mapping[str, Any],
        draw: Callable[[pd.DataFrame, str], go.Figure],
        *,
        note: str = "",
    ) -> None:
        self.name = name
        self.title = title
        self.frame = frame
        self.sql = sql
        self.params = dict(params)
        self.note = note
        """What to know when reading it; shown under the table."""
        self._draw = draw

    @cached_property
    def figure(self) -> go.Figure:
        return self._draw(self.frame, self.title)

    def show_sql(self) -> str:
        """The query with its bound values as comments, to read and to copy."""
        bound = [f"-- ${key} = {value!r}" for key, value in self.params.items()]
        return "\n".join([*bound, self.sql])

    def to_html(self) -> str:
        """A whole page that needs no network: figure (plotly inside, some 5 MB), table and SQL."""
        from durable_nb.analytics.figures.page import page  # noqa: PLC0415 - plotly is only for those who look

        return page(self)

    def __repr__(self) -> str:
        lines = [self.title, text_table(self.frame, SHOWN_ROWS)]
        return "\n".join([*lines, self.note] if self.note else lines)

    def table_html(self) -> str:
        """The title, the first rows, and the SQL behind a click; escaped."""
        return html_table(self.title, self.frame, SHOWN_ROWS, note=self.note, sql=self.show_sql())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self.table_html()}
        if len(self.frame):
            # Not plotly's own bundle: its HTML half loads plotly.js once more, and without JavaScript shows nothing.
            # Through plotly's JSON, which knows instants and arrays; the kernel's does not.
            bundle["application/vnd.plotly.v1+json"] = json.loads(self.figure.to_json())
        return bundle


def asked(
    explorer: Explorer,
    name: str,
    title: str,
    sql: str,
    params: Mapping[str, Any],
    draw: Callable[[pd.DataFrame, str], go.Figure],
    *,
    note: str = "",
) -> Statistic:
    """The statistic whose frame is the answer to a query."""
    return Statistic(name, title, explorer.frame(sql, params, limit=None), sql, params, draw, note=note)
