"""What a view is: a name, a version, and columns that carry their SQL and their documentation together."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, its DuckDB type, what it means, and how it is made."""

    name: str
    type: str
    meaning: str
    sql: str = ""
    """Expression over the view's source; the column of that name where empty."""
    unit: str = ""
    """``µs``, ``bytes``, ``UTC`` or "" for what has none."""

    @property
    def select(self) -> str:
        """Item of the SELECT list."""
        return f"{self.sql or self.name} AS {self.name}"


@dataclass(frozen=True, slots=True)
class Join:
    """What a view joins to each of its rows: one row or none, so it can be left out where no column needs it."""

    alias: str
    sql: str
    """What follows LEFT JOIN: a source, the alias, and the condition."""

    def is_named_in(self, text: str) -> bool:
        """Whether SQL names a column of it."""
        return re.search(rf"\b{self.alias}\.", text) is not None


@dataclass(frozen=True, slots=True)
class View:
    """A documented view. Within a version columns are only added; a change of meaning makes a new version."""

    name: str
    meaning: str
    """First what one row is."""
    columns: tuple[Column, ...]
    source: str
    """What follows FROM."""
    joins: tuple[Join, ...] = ()
    """What is joined to it, each after what it names."""
    version: int = 1

    @property
    def versioned_name(self) -> str:
        """``runs_v1``: what programs that must not break name."""
        return f"{self.name}_v{self.version}"

    @property
    def ddl(self) -> tuple[str, str]:
        """Statements that make the versioned view and its alias."""
        return (
            f"CREATE VIEW {self.versioned_name} AS {self._query(self.columns)}",
            f"CREATE VIEW {self.name} AS FROM {self.versioned_name}",
        )

    def narrow_ddl(self, name: str, columns: Collection[str]) -> str:
        """Statement that makes the view for one connection under a name of its own, with some of its columns."""
        kept = [column for column in self.columns if column.name in columns]
        return f"CREATE TEMP VIEW {name} AS {self._query(kept or self.columns[:1])}"

    def _query(self, columns: Collection[Column]) -> str:
        items = ",\n    ".join(column.select for column in columns)
        needed: list[Join] = []
        for join in reversed(self.joins):
            if join.is_named_in(items) or any(join.is_named_in(other.sql) for other in needed):
                needed.insert(0, join)
        return "\n".join((f"SELECT\n    {items}\nFROM {self.source}", *(f"LEFT JOIN {join.sql}" for join in needed)))

    def column(self, name: str) -> Column:
        """The column of that name; KeyError for none."""
        for found in self.columns:
            if found.name == name:
                return found
        raise KeyError(name)
