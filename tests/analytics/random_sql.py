"""Questions made by dice over the views: what a person would not think of, and DuckDB's grammar allows.

Every choice comes from one ``Random``, so a seed names a question. Some are refused (a cast that cannot be, a name that
two sources share); what counts is that they are refused, or answered, in the same way however they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from durable_nb.analytics import VIEWS

ALIASES = ("r", "a", "s", "c", "runs", "status", "attempts", "run_key", "branched", '"Q t"')
"""Among them names of views, of columns, and those that the views use themselves."""

STARS = (
    "*",
    "{}.*",
    "COLUMNS('.*_id')",
    "COLUMNS(*)",
    "* EXCLUDE (run_key)",
    "* REPLACE (1 AS run_key)",
    "* LIKE '%us'",
)
KEYS = ("run_key", "scheduled_event_id", "identity", "status")


@dataclass(frozen=True)
class Source:
    """What stands in a FROM: its SQL, what it is called, and its columns."""

    sql: str
    alias: str
    columns: tuple[str, ...]


class Dice:
    """Makes one question after the other."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.named: list[Source] = []

    def question(self) -> str:
        self.named = []
        queries = []
        for _ in range(self.random.choice((0, 0, 1, 2))):
            sql, columns = self.select(1)
            name = self.random.choice(("runs", "timers", "attempts", "status", "w"))
            if name not in {source.alias for source in self.named}:
                queries.append(f"{name} AS {self.random.choice(('', 'MATERIALIZED '))}({sql})")
                self.named.append(Source(name, name, columns))
        sql, _ = self.select(2)
        if self.chance(0.1):
            sql += f" {self.random.choice(('UNION ALL BY NAME', 'EXCEPT', 'UNION'))} {self.select(1)[0]}"
        recursive = self.random.choice(("", "RECURSIVE "))
        return f"WITH {recursive}{', '.join(queries)} {sql}" if queries else sql

    # -- parts -------------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def spelt(self, name: str) -> str:
        return self.random.choice((name, name, name, name.upper(), f'"{name}"', f'"{name.upper()}"'))

    def source(self, depth: int) -> Source:
        if self.named and self.chance(0.3):
            return self.random.choice(self.named)
        if depth and self.chance(0.3):
            sql, columns = self.select(depth - 1)
            alias = self.random.choice(ALIASES)
            return Source(f"({sql}) AS {alias}", alias, columns)
        if self.chance(0.1):
            alias = self.random.choice(ALIASES)
            return Source(f"(VALUES (1), (2)) AS {alias}(run_key)", alias, ("run_key",))
        view = self.random.choice(list(VIEWS.values()))
        name = self.spelt(self.random.choice((view.name, view.name, view.versioned_name)))
        columns = tuple(column.name for column in view.columns)
        if self.chance(0.3):
            return Source(name, name, columns)
        alias = self.random.choice(ALIASES)
        if self.chance(0.05):
            return Source(f"{name} AS {alias}(one)", alias, ("one", *columns[1:]))
        return Source(f"{name} AS {alias}", alias, columns)

    def column(self, sources: list[Source]) -> str:
        source = self.random.choice(sources)
        name = self.spelt(self.random.choice(source.columns))
        return f"{source.alias}.{name}" if len(sources) > 1 or self.chance(0.5) else name

    def expression(self, sources: list[Source], depth: int) -> str:
        column, other = self.column(sources), self.column(sources)
        forms = [column] * 6 + [
            f"({column} IS NULL)",
            f"coalesce(CAST({column} AS VARCHAR), 'status')",
            f"CASE WHEN {column} IS NULL THEN CAST({other} AS VARCHAR) ELSE 'x' END",
            f"{{'status': {column}}}",
            f"list_transform([{column}], lambda status: CAST(status AS VARCHAR))",
            f"to_json({self.random.choice(sources).alias})",
            f"hash({self.random.choice(sources).alias})",
        ]
        if depth:
            inner = self.source(0)
            forms.append(f"(SELECT count({self.column([inner])}) FROM {inner.sql})")
        return self.random.choice(forms)

    def condition(self, sources: list[Source], depth: int) -> str:
        column = self.column(sources)
        forms = [f"{column} IS NOT NULL", f"{column} IS NULL", f"CAST({column} AS VARCHAR) LIKE '%e%'"]
        if depth:
            inner = self.source(0)
            forms.append(f"EXISTS (SELECT {self.random.choice(('1', '*'))} FROM {inner.sql})")
            forms.append(
                f"CAST({column} AS VARCHAR) IN (SELECT CAST({self.column([inner])} AS VARCHAR) FROM {inner.sql})"
            )
        return self.random.choice(forms)

    def joined(self, left: Source, right: Source) -> tuple[str, list[Source]]:
        shared = [name for name in KEYS if name in left.columns and name in right.columns]
        if not shared:
            return left.sql, [left]
        kind = self.random.choice(("JOIN", "LEFT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN", "NATURAL JOIN"))
        how = "" if kind == "NATURAL JOIN" else f" USING ({self.spelt(self.random.choice(shared))})"
        return f"{left.sql} {kind} {right.sql}{how}", [left] if kind.startswith(("SEMI", "ANTI")) else [left, right]

    def select(self, depth: int) -> tuple[str, tuple[str, ...]]:
        first = self.source(depth)
        body, sources = first.sql, [first]
        if self.chance(0.35):
            body, sources = self.joined(first, self.source(0))
        elif depth and self.chance(0.1):
            body += f", LATERAL (SELECT {self.column(sources)} AS lateral_1) AS l"
            sources.append(Source("", "l", ("lateral_1",)))
        if self.chance(0.5):
            body += f" WHERE {self.condition(sources, depth)}"
        if self.chance(0.12):
            star = self.random.choice(STARS).format(first.alias)
            return f"SELECT {star} FROM {body}", tuple(name for source in sources for name in source.columns)
        if self.chance(0.2):
            counted = self.random.choice(("count(*)", f"count(DISTINCT {self.column(sources)})"))
            group = self.random.choice(("ALL", "1"))
            return f"SELECT {self.expression(sources, 0)} AS g, {counted} AS n FROM {body} GROUP BY {group}", ("g", "n")
        names = self.random.sample(("one", "two", "status", "run_key", "runs"), self.random.randint(1, 3))
        items = ", ".join(f"{self.expression(sources, depth)} AS {name}" for name in names)
        sql = f"SELECT {self.random.choice(('', '', 'DISTINCT '))}{items} FROM {body}"
        if self.chance(0.1):
            sql += f" ORDER BY {self.random.choice(('1', 'ALL', names[0]))}"
        return sql, tuple(names)
