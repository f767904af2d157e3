"""Queries whose shape depends on what the user asks, built by SQLAlchemy Core and run by the driver."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal_column, select, tuple_
from sqlalchemy.dialects import sqlite

from durable_nb.model.records import RunFilter
from durable_nb.store.schema import runs

_dialect = sqlite.dialect(paramstyle="named")


def listing_statement(query: RunFilter, columns: str, last_start_time: int | None) -> tuple[str, dict[str, Any]]:
    """SQL with named parameters for a page of runs, newest first.

    Parameters
    ----------
    columns
        What to select, as SQL.
    last_start_time
        Start time of the run ``query.before_run_key``, None when it is gone; then its key alone marks the place.
    """
    # With the plus SQLite looks a workflow ID up, instead of walking all runs of the namespace by their start.
    start: ColumnElement[int] = literal_column("+runs.start_time") if query.workflow_id else runs.c.start_time
    order = (start, runs.c.run_key)
    statement: Select[Any] = (
        select(literal_column(columns)).select_from(runs).where(runs.c.namespace == query.namespace)
    )
    if query.workflow_id:
        statement = statement.where(runs.c.workflow_id == query.workflow_id)
    if query.workflow_type:
        statement = statement.where(runs.c.workflow_type == query.workflow_type)
    if query.statuses:
        statement = statement.where(runs.c.status.in_([int(status) for status in query.statuses]))
    for column, first, end in (
        (start, query.started_from, query.started_before),
        (runs.c.close_time, query.closed_from, query.closed_before),
    ):
        if first or end:
            statement = statement.where(column >= bindparam(None, max(first, 1)))  # 0 is "not yet"
        if end:
            statement = statement.where(column < bindparam(None, end))
    if query.before_run_key:
        if last_start_time is None:
            statement = statement.where(runs.c.run_key < query.before_run_key)
        else:
            statement = statement.where(tuple_(*order) < tuple_(last_start_time, query.before_run_key))
    statement = statement.order_by(*(column.desc() for column in order)).limit(query.limit)
    compiled = statement.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), dict(compiled.params)
