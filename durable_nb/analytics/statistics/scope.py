"""What a statistic is about: filters, as SQL conditions whose values are bound and never pasted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, TypedDict

from durable_nb.analytics.views import VIEWS
from durable_nb.errors import QueryError

Moment = datetime | timedelta | str
"""An instant, a length of time before now, or a text for either: ``"1h"``, ``"2026-11-05"``, ``"2026-11-05 14:00"``."""

FAILED = "('Failed', 'TimedOut', 'Lost')"
"""Status of an attempt that was in vain; a cancelled one did what was asked of it."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def length_of(text: str | timedelta) -> timedelta:
    """A length of time: ``"90s"``, ``"5m"``, ``"1h"``, ``"2d"``, ``"1w"``, or a timedelta.

    Raises
    ------
    QueryError
        It is none, or not positive.
    """
    found = _LENGTH.fullmatch(text.strip()) if isinstance(text, str) else None
    length = timedelta(**{_UNITS[found[2]]: float(found[1])}) if found else text
    if not isinstance(length, timedelta) or length <= timedelta():
        raise QueryError(f"{text!r} is no length of time", fix='write for instance "5m", "1h", "2d" or a timedelta')
    return length


def instant_of(moment: Moment, now: datetime | None = None) -> datetime:
    """The instant, in UTC; a text or datetime without a zone is taken as UTC.

    Raises
    ------
    QueryError
        It is none.
    """
    if isinstance(moment, str) and not _LENGTH.fullmatch(moment.strip()):
        try:
            moment = datetime.fromisoformat(moment.strip())
        except ValueError:
            raise QueryError(
                f"{moment!r} is neither a length of time nor an instant",
                fix='write "1h", "2d", "2026-11-05", "2026-11-05 14:00", or give a datetime or timedelta',
            ) from None
    if isinstance(moment, str | timedelta):
        return (now or datetime.now(UTC)) - length_of(moment)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Filters(TypedDict, total=False):
    """What most statistics take besides their own parameters; ``Scope`` says what each means."""

    workflow_type: str | Collection[str] | None
    where: Mapping[str, Any] | None
    since: Moment | None
    until: Moment | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Filters of one statistic.

    Parameters
    ----------
    workflow_type
        One type or several; None for all.
    where
        Value, or collection of values, by column of the statistic's own view or of ``runs``. ``memo.x`` and
        ``search_attributes.x`` reach into these, ``None`` means unset.
    since, until
        From when on (inclusive) and until when (exclusive).
    """

    workflow_type: str | Collection[str] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(
        cls,
        workflow_type: str | Collection[str] | None = None,
        where: Mapping[str, Any] | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Scope:
        """A scope from what a user gave: ``Filters``."""
        if where is not None and not isinstance(where, Mapping):
            raise QueryError(
                f"where is a dict of columns and values, not {type(where).__name__}",
                fix='write where={"task_queue": "orders"}; for any condition at all there is durable_nb.sql',
            )
        return cls(
            workflow_type,
            dict(where or {}),
            None if since is None else instant_of(since),
            None if until is None else instant_of(until),
        )

    def conditions(self, view: str, alias: str, time: str, params: dict[str, Any]) -> list[str]:
        """Conditions on rows of ``view``, named ``alias``, whose time is the column ``time``; fills ``params``.

        Every view of the statistics has ``run_key`` and ``workflow_type``; what only ``runs`` has is asked there.
        """
        found: list[str] = []
        if self.workflow_type is not None:
            params["workflow_types"] = _listed(self.workflow_type)
            found.append(f"list_contains($workflow_types, {alias}.workflow_type)")
        of_runs: list[str] = []
        for number, (key, value) in enumerate(self.where.items(), start=1):
            name = f"where_{number}"
            expression, is_of_run = stored_value(view, key, alias, name, params)
            if "." in key:
                expression = _read_as(value, expression)
            (of_runs if is_of_run else found).append(_condition(expression, value, name, params))
        if of_runs:
            inside = " AND ".join(of_runs)
            found.append(f"{alias}.run_key IN (SELECT r.run_key FROM runs AS r WHERE {inside})")  # noqa: S608 - constants
        if self.since is not None:
            params["since"] = self.since
            found.append(f"{alias}.{time} >= $since")
        if self.until is not None:
            params["until"] = self.until
            found.append(f"{alias}.{time} < $until")
        return found

    def clause(self, view: str, alias: str, time: str, params: dict[str, Any], *more: str) -> str:
        """``WHERE …`` of these conditions and ``more``; "" for none."""
        found = [*more, *self.conditions(view, alias, time, params)]
        return "WHERE " + "\n    AND ".join(found) if found else ""

    @property
    def words(self) -> str:
        """The filters in words, for titles; "" for none."""
        parts = []
        if self.workflow_type is not None:
            parts.append(", ".join(_listed(self.workflow_type)))
        parts += [f"{key} = {value}" for key, value in self.where.items()]
        if self.since is not None:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M}")
        if self.until is not None:
            parts.append(f"until {self.until:%Y-%m-%d %H:%M}")
        return ", ".join(parts)

    def titled(self, title: str) -> str:
        """A title with the filters behind it."""
        return f"{title} ({self.words})" if self.words else title


def _listed(value: str | Collection[str]) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]


def has_column(view: str, column: str) -> bool:
    """Whether a view has a documented column of that name."""
    return any(found.name == column for found in VIEWS[view].columns)


def stored_value(view: str, key: str, alias: str, name: str, params: dict[str, Any]) -> tuple[str, bool]:
    """The SQL of a column, or of what ``memo.x`` and ``search_attributes.x`` hold, and whether it is one of ``runs``.

    Parameters
    ----------
    view
        Whose column it is; where it has none of that name, ``runs`` may, whose rows the query calls ``r``.
    alias
        What the query calls the rows of ``view``.
    name
        Prefix of the parameters that are added to ``params``.

    Raises
    ------
    QueryError
        Neither has such a column.
    """
    column, dot, path = key.partition(".")
    is_of_run = not has_column(view, column)
    if is_of_run and not has_column("runs", column):
        raise _unknown(view, column)
    expression = f"{'r' if is_of_run else alias}.{column}"
    if dot:
        params[f"{name}_path"] = '$."' + path.replace('"', '\\"') + '"'
        expression = f"({expression} ->> ${name}_path)"
    return expression, is_of_run


_STORED_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (Integral, "DECIMAL(38, 9)"),
    (Real, "DOUBLE"),
    (datetime, "TIMESTAMPTZ"),
)


def _read_as(value: Any, expression: str) -> str:
    """A stored text to be compared with a value: NULL where it is something of another kind, which is no error."""
    values = [value] if isinstance(value, str) or not isinstance(value, Collection) else list(value)
    kind = next((sql for each, sql in _STORED_TYPES if values and all(isinstance(one, each) for one in values)), None)
    return f"TRY_CAST({expression} AS {kind})" if kind else expression


def _condition(expression: str, value: Any, name: str, params: dict[str, Any]) -> str:
    if value is None:
        return f"{expression} IS NULL"
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        params[name] = list(value)
        return f"list_contains(${name}, {expression})"
    params[name] = value
    return f"{expression} = ${name}"


def _unknown(view: str, column: str) -> QueryError:
    names = [found.name for each in dict.fromkeys((view, "runs")) for found in VIEWS[each].columns]
    close = get_close_matches(column, names, 1)
    fix = f"did you mean {close[0]!r}?" if close else f"DESCRIBE {view} tells its columns"
    return QueryError(f"neither {view} nor runs has a column {column!r}", fix=fix)


def own_column(view: str, column: str) -> str:
    """The name of a documented column, checked: what may stand in SQL as it is.

    Raises
    ------
    QueryError
        The view has no such column.
    """
    if not has_column(view, column):
        names = [found.name for found in VIEWS[view].columns]
        close = get_close_matches(str(column), names, 1)
        fix = f"did you mean {close[0]!r}?" if close else f"DESCRIBE {view} tells its columns"
        raise QueryError(f"{view} has no column {column!r}", fix=fix)
    return column
