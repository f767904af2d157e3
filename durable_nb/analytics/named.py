"""Which columns of which views a question names, so that only what those read is brought in and planned.

DuckDB's own parser says: the question's syntax tree is searched for views, and every text in it that is the name of a
column counts, wherever it stands. Too much may be found, never too little: a question that may reach columns without
naming them (a star over a view, a row as a value, a place instead of a name, a table whose columns are renamed, a
shape of tree that is not known here) is answered from whole views.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from durable_nb.analytics.views import VIEWS, View

_EXPRESSIONS = frozenset(
    {
        "BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT",
        "FUNCTION", "LAMBDA", "OPERATOR", "PARAMETER", "SUBQUERY", "TYPE", "WINDOW",
    }
)  # fmt: skip
"""Classes of expressions that read no column but by a name that stands in them."""

_NODES = frozenset(
    {
        "BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION",
        "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE",
        "DISTINCT_MODIFIER", "LIMIT_MODIFIER", "ORDER_MODIFIER",
        "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
    }
)  # fmt: skip
"""The same of what is no expression."""

_VIEWS = {name: view for view in VIEWS.values() for name in (view.name, view.versioned_name)}


class Named(NamedTuple):
    """What a question names."""

    columns: dict[str, frozenset[str]]
    """By the name under which it uses a view."""
    functions: frozenset[str]
    """In lower case. A macro that a user made may read what the question does not name."""


def view_of(name: str) -> View:
    """The view of that name, versioned or not, in lower case; KeyError for none."""
    return _VIEWS[name]


def named_columns(connection: duckdb.DuckDBPyConnection, query: str) -> Named | None:
    """The columns of each view that a question names, and functions; None where it may read columns without a name."""
    try:
        (text,) = connection.execute("SELECT json_serialize_sql($1)", [query]).fetchall()[0]
        tree = json.loads(text)
        if tree.get("error") or len(tree.get("statements", ())) != 1:
            return None
        nodes = list(_nodes(tree["statements"][0]["node"], []))
    except (duckdb.Error, RecursionError):  # DuckDB takes deeper trees than Python's parser of JSON
        return None
    if not all(_is_plain(node) for node in nodes):
        return None
    views = [node for node in nodes if _is_view(node)]
    # By its name a table's row is a value, with all its columns.
    rows = set(map(_name, views))
    if any(node["column_names"][-1].lower() in rows for node in nodes if node.get("class") == "COLUMN_REF"):
        return None
    words = {word.lower() for node in nodes for word in _texts(node)}
    found = {}
    for view in views:
        if view["schema_name"] or view["catalog_name"] or view["column_name_alias"]:
            return None
        name = view["table_name"].lower()
        found[name] = frozenset(column.name for column in _VIEWS[name].columns if column.name in words)
    functions = frozenset(node["function_name"].lower() for node in nodes if "function_name" in node)
    return Named(found, functions) if found else None


def known_functions(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Functions and macros that there are, in lower case."""
    found = connection.execute("SELECT DISTINCT lower(function_name) FROM duckdb_functions()").fetchall()
    return frozenset(name for (name,) in found)


def _nodes(tree: Any, sources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree, but for stars that stand for no column of a view.

    ``sources`` are the tables of the FROM that a star in this part of the tree is about.
    """
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, sources)
    elif isinstance(tree, dict) and not _is_harmless_star(tree, sources):
        yield tree
        if tree.get("type") == "SELECT_NODE":
            sources = list(_sources(tree["from_table"]))
        for value in tree.values():
            yield from _nodes(value, sources)


def _is_harmless_star(node: dict[str, Any], sources: list[dict[str, Any]]) -> bool:
    """Whether a star stands only for what subqueries and the like have selected themselves."""
    if node.get("class") != "STAR":
        return False
    named = node.get("relation_name", "").lower()
    meant = [source for source in sources if not named or named == _name(source)]
    return bool(meant) and not any(map(_is_view, meant))


def _sources(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is joined in a FROM."""
    if table["type"] == "JOIN":
        yield from _sources(table["left"])
        yield from _sources(table["right"])
    else:
        yield table


def _name(table: dict[str, Any]) -> str:
    """How a question calls what stands in its FROM: an alias takes the place of the name."""
    name: str = table.get("alias") or table.get("table_name", "")
    return name.lower()


def _is_view(node: dict[str, Any]) -> bool:
    return node.get("type") == "BASE_TABLE" and node["table_name"].lower() in _VIEWS


def _is_plain(node: dict[str, Any]) -> bool:
    if "class" in node:
        return node["class"] in _EXPRESSIONS
    kind = node.get("type")
    if kind == "JOIN" and node.get("ref_type") == "NATURAL":
        return False
    return not isinstance(kind, str) or kind in _NODES


def _texts(node: dict[str, Any]) -> Iterator[str]:
    for value in node.values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                yield text
