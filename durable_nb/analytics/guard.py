"""Only questions get through: what a query may do, and what is said when it may not.

Three bars, each of which holds alone: the kind of statement is looked at before it runs; it runs in a read-only
transaction; and the database that holds the copy has no access to files, network or extensions, and its settings are
locked. The third holds for ``explore()`` too, where the first two are left to the user.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from collections.abc import ValuesView
from typing import Any

import duckdb

from durable_nb.errors import QueryError, QueryParameterError, QueryRefusedError

_ASKS = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""MULTI is what PIVOT becomes; what else it may hold stops at the read-only transaction."""

_ONLY_VIEWS = "the views show what the store holds; to keep a result, assign it: df = durable_nb.sql(…)"
_OWN_TABLES = "durable_nb.explore() gives a connection where you may make tables of your own"
_FRAMES = "pass the frame by name: sql('FROM mine', tables={'mine': frame}), in a cell FROM {frame}"
_PANDAS = f"read the file with pandas, and {_FRAMES}"

_REASONS = {
    "COPY": ("writes or reads a file", "write the frame instead: durable_nb.sql(…).to_parquet('runs.parquet')"),
    "EXPORT": ("writes files", "write the frame instead: durable_nb.sql(…).to_parquet('runs.parquet')"),
    "ATTACH": ("attaches another database", _PANDAS),
    "DETACH": ("detaches a database", "nothing needs to be detached here"),
    "LOAD": ("installs or loads an extension", "the views need none: JSON and Parquet are built in"),
    "SET": ("changes a setting", "settings are locked, so that no query can open the way for another"),
    "VARIABLE_SET": ("sets a variable", "pass values as parameters: sql('… WHERE x = $x', {'x': x})"),
    "PRAGMA": ("is a PRAGMA", "DESCRIBE runs and SHOW TABLES tell about the views"),
    "CALL": ("calls a procedure", "ask with SELECT"),
    "TRANSACTION": ("controls a transaction", "each query sees one consistent state of the store by itself"),
    "PREPARE": ("prepares a statement", "pass parameters: sql('… WHERE x = $x', {'x': x})"),
    "EXECUTE": ("executes a prepared statement", "pass parameters: sql('… WHERE x = $x', {'x': x})"),
}
_ABOUT_PARAMETERS = (
    "arameter argument/count mismatch",
    "arameter/argument count mismatch",
    "Values were not provided",
    "too large for",
    "Unable to transform python value",
    "Mixing named and positional parameters",
)
_EXTENSION = re.compile(r"install the required extension '(\w+)|it exists in the (\w+) extension")
_WRITES = ("changes tables", f"{_ONLY_VIEWS}; {_OWN_TABLES}")


def check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Let one question pass.

    Raises
    ------
    QueryError
        DNB800: it is no SQL.
    QueryRefusedError
        DNB801: it does something else than ask, or is more than one statement; the message says what to do instead.
    """
    try:
        found = connection.extract_statements(query)
    except duckdb.Error as error:
        raise explain(error) from None
    except TypeError:  # Also of a text with half of a surrogate pair.
        raise QueryError(f"this is no text: {query!r:.80}", fix="a query is a str: sql('SELECT * FROM runs')") from None
    if not found:
        raise QueryError("there is no query", fix="for instance SELECT * FROM runs")
    if len(found) > 1:
        raise QueryRefusedError(
            f"these are {len(found)} statements", fix="ask one question at a time; WITH … AS (…) SELECT … joins several"
        )
    try:
        kind = str(found[0].type).rpartition(".")[2]
    except ValueError:  # DuckDB's library knows more kinds than its Python package: UPDATE EXTENSIONS
        kind = "another kind"
    if kind not in _ASKS:
        reason, fix = _REASONS.get(kind, _WRITES)
        raise QueryRefusedError(f"a query may only ask, and this one {reason} ({kind})", fix=fix)


def explain(error: duckdb.Error) -> QueryError:
    """What to raise in place of DuckDB's error."""
    text = _tidy(str(error))
    if isinstance(error, duckdb.PermissionException):
        return QueryRefusedError(f"this query reaches outside the store: {text}", fix=_PANDAS)
    if isinstance(error, duckdb.TransactionException) and "read-only" in text:
        return QueryRefusedError("a query may only ask, and this one changes tables", fix=_WRITES[1])
    if extension := _EXTENSION.search(text):
        return QueryRefusedError(
            f"this query needs the extension {(extension[1] or extension[2])!r} of DuckDB, and a query loads none",
            fix=_PANDAS,
        )
    if "configuration has been locked" in text:
        return QueryRefusedError("a query may only ask, and this one changes a setting", fix=_REASONS["SET"][1])
    if any(words in text for words in _ABOUT_PARAMETERS):
        return QueryParameterError(
            text, fix="give each $name of the query a value, and no other: sql(query, {'name': value})"
        )
    if isinstance(error, duckdb.CatalogException) and text.startswith("Catalog Error: Table with name"):
        return QueryError(text, fix=f"{_help()}; or {_FRAMES}")
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return QueryError(text, fix=_help())
    return QueryError(text, fix="correct the query; durable_nb.analytics.describe() lists the views")


def _help() -> str:
    return "durable_nb.analytics.describe() lists the views, describe('runs') the columns of one"


def _tidy(text: str) -> str:
    """DuckDB's message without its stack and without empty lines."""
    lines = [line.rstrip() for line in re.split(r"\n\s*Stack Trace:", text)[0].splitlines()]
    return "\n".join(line for line in lines if line)


def add_frames(connection: duckdb.DuckDBPyConnection, frames: dict[str, Any]) -> None:
    """Let a query use frames of the caller by name, on this connection.

    Raises
    ------
    QueryParameterError
        DNB802: one of them is no frame, or has no columns.
    """
    for name, frame in frames.items():
        try:
            connection.register(name, frame)
        except (duckdb.Error, TypeError) as error:
            raise QueryParameterError(
                f"{name!r} ({type(frame).__name__}) cannot stand for a table: {_tidy(str(error)).splitlines()[0]}",
                fix="a table is a pandas or polars DataFrame or an Arrow table with at least one column",
            ) from None


def bindable(params: Any) -> Any:
    """Parameters as DuckDB takes them: NumPy scalars become Python's, sets, ranges and a dict's keys lists.

    Raises
    ------
    QueryParameterError
        DNB802: neither a mapping nor a sequence.
    """
    if params is None:
        return None
    if isinstance(params, dict):
        return {name: _plain(value) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [_plain(value) for value in params]
    raise QueryParameterError(
        f"parameters must be a dict for $name or a list for ?, not {type(params).__name__}",
        fix="sql('SELECT * FROM runs WHERE workflow_id = $id', {'id': 'order-1'})",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, AbstractSet | ValuesView | range):
        return [_plain(item) for item in value]
    if type(value).__module__ == "numpy":
        return value.tolist()
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "tolist"):
        return value.tolist()
    return value
