"""What a question needs: the views that it names, and the stored rows that those read.

Most questions are about runs or activities; they need no more than a part of the events, and a store of a million is
then asked in a fraction of the time. What a view reads is taken from its own SQL, and a question is searched for names
of views as words, wherever they stand: too much may be found, never too little. Where it is certain which columns it
names (``named``), views of no more than these take the place of the whole ones for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from durable_nb.analytics.event_types import ALL_TYPES, NO_TYPES, EventTypes
from durable_nb.analytics.named import named_columns, view_of
from durable_nb.analytics.views import VIEWS

_WORD = re.compile(r"\w+")

_READS_EVENTS = re.compile(r"\bmirror\.main\.events\b(?: WHERE event_type IN \(([\d, ]+)\))?")
_READS_ATTEMPTS = re.compile(r"\bmirror\.main\.attempts\b|\binternal\.attempts\b")

_BEHIND_THE_VIEWS = frozenset({"mirror", "internal", "query", "query_table", "json_execute_serialized_sql"})
"""Words by which a question may reach rows without naming a view: tables themselves, and names made while it runs."""

_ABOUT_VIEWS = re.compile(r"\b(?:show|describe|summarize|information_schema)\b|\b(?:duckdb|sqlite|pragma|pg)_")
"""Questions about what views and columns there are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Part of a store."""

    views: frozenset[str]
    """Names without version."""
    types: EventTypes
    """Types of the events that are read."""
    attempts: bool
    """Whether finished attempts are read."""
    narrow_views: tuple[str, ...] = ()
    """Statements that make views for this question alone, in place of the whole ones."""
    functions: frozenset[str] = frozenset()
    """What the question calls, where it has views for it alone: they must read nothing but what it names."""


EVERYTHING = Wanted(frozenset(VIEWS), ALL_TYPES, True)
NOTHING = Wanted(frozenset(), NO_TYPES, False)


def wanted(query: str) -> Wanted:
    """What a question in SQL needs."""
    text = query.lower()
    words = set(_WORD.findall(text))
    if words & _BEHIND_THE_VIEWS:
        return EVERYTHING
    named = frozenset(view.name for view in VIEWS.values() if words & {view.name, view.versioned_name})
    types, attempts = NO_TYPES, False
    for name in named:
        types |= _READS[name].types
        attempts |= _READS[name].attempts
    # Without a name of a view it is about views, or about one that is misspelt: then DuckDB tells which are alike.
    about = not named or _ABOUT_VIEWS.search(text)
    return Wanted(EVERYTHING.views if about else named, types, attempts)


def wanted_of_named(connection: duckdb.DuckDBPyConnection, query: str) -> Wanted | None:
    """What a question needs by the columns that it names; None where it may read others."""
    text = query.lower()
    if set(_WORD.findall(text)) & _BEHIND_THE_VIEWS or _ABOUT_VIEWS.search(text):
        return None
    named = named_columns(connection, query)
    if named is None:
        return None
    narrow = tuple(view_of(name).narrow_ddl(name, columns) for name, columns in named.columns.items())
    types, attempts = _read_by(" ".join(narrow))
    return Wanted(frozenset(), types, attempts, narrow, named.functions)


def _read_by(text: str) -> tuple[EventTypes, bool]:
    """Types of the events, and whether attempts, are read by SQL."""
    types = NO_TYPES
    for numbers in _READS_EVENTS.findall(text):
        types |= EventTypes.of(map(int, numbers.split(","))) if numbers else ALL_TYPES
    return types, bool(_READS_ATTEMPTS.search(text))


def _reads(name: str) -> Wanted:
    return Wanted(frozenset({name}), *_read_by(" ".join(VIEWS[name].ddl)))


_READS = {name: _reads(name) for name in VIEWS}
