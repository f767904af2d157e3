"""``%%workflow_sql``: a cell of SQL over all runs. Variables are bound, the frame is the cell's value.

Parses the cell far enough to find ``{variable}`` and ``$variable`` outside strings and comments, and nothing more: the
text goes to DuckDB with numbered parameters in their place. A DataFrame in such a place becomes a table.
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from durable_nb.client import _frames
from durable_nb.errors import NotebookError, ResultCutWarning
from durable_nb.notebook.counting import plural
from durable_nb.notebook.words import did_you_mean, split_line

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

MAGIC = "workflow_sql"

_PATIENCE = 1.0
"""Seconds before a query counts as long."""

_PACE = 0.3
"""Seconds between two updates of the line that tells how far it is."""

_SKIPPED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|--[^\n]*|/\*.*?\*/"""
_VARIABLE = r"\{\s*(?P<braced>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}|\$(?P<named>[A-Za-z_]\w*)"
_TOKEN = re.compile(f"(?P<skipped>{_SKIPPED})|{_VARIABLE}", re.DOTALL)
_KEEP = re.compile(r"\s*([A-Za-z_]\w*)\s*<<(.*)", re.DOTALL)


class BoundQuery(NamedTuple):
    """A query whose variables were taken out."""

    text: str
    params: dict[str, Any]
    tables: dict[str, Any]


def bind(query: str, namespace: Mapping[str, Any]) -> BoundQuery:
    """The query with ``$name`` in place of ``{variable}``, and the values.

    Raises
    ------
    NotebookError
        DNB700: there is no variable of that name; the message says which one may be meant.
    """
    params: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    names: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        if match["skipped"] is not None:
            return match[0]
        path = match["braced"] or match["named"]
        if path not in names:
            value = _value(path, namespace)
            if _is_frame(value):
                names[path] = name = f"frame_{len(names) + 1}"
                tables[name] = value
            else:
                name = f"value_{len(names) + 1}"
                names[path] = f"${name}"
                params[name] = value
        return names[path]

    return BoundQuery(_TOKEN.sub(replace, query), params, tables)


def _value(path: str, namespace: Mapping[str, Any]) -> Any:
    name, *attributes = path.split(".")
    if name not in namespace:
        public = [found for found in namespace if not found.startswith("_")]
        raise NotebookError(
            f"there is no variable {name!r}" + did_you_mean(name, public),
            fix="{name} takes the value of a Python variable, bound as a parameter",
        )
    value = namespace[name]
    for attribute in attributes:
        if not hasattr(value, attribute):
            raise NotebookError(f"{name!r} has no attribute {attribute!r}", fix="use a variable of its own")
        value = getattr(value, attribute)
    return value


def _is_frame(value: Any) -> bool:
    module = type(value).__module__.partition(".")[0]
    return module in {"pandas", "polars", "pyarrow"} and type(value).__name__ in {"DataFrame", "Table", "LazyFrame"}


@magics_class
class SqlMagics(Magics):
    """The magic of one session."""

    shell: Any

    def __init__(self, shell: Any, session: NotebookSession) -> None:
        super().__init__(shell)
        self.session = session

    @no_var_expand
    @line_cell_magic
    def workflow_sql(self, line: str, cell: str | None = None) -> Any:
        """Ask all runs of the store in SQL; the answer is a DataFrame.

        ``%%workflow_sql [NAME <<] [--limit N] [--as pandas|polars|arrow]``, with the query (DuckDB's SQL) below::

            %%workflow_sql slow <<
            SELECT workflow_id, activity_type, attempts, run_us / 1e6 AS seconds
            FROM activities WHERE workflow_type = {kind} AND run_us > {threshold}
            ORDER BY seconds DESC

        ``NAME <<`` keeps the frame in a variable instead of showing it. ``{variable}`` takes the value of a Python
        variable; it is bound, never pasted, so it may hold anything. A DataFrame may stand where a table stands. Views:
        runs, events, activities, attempts, timers, signals, updates, children, workflow_tasks, workers, schedules,
        definitions, metrics; ``%workflow_sql`` alone lists them, ``%workflow_sql --help runs`` tells the columns of
        one. A short query fits on a line: ``%workflow_sql SELECT * FROM runs``.
        """
        keep, options, query = self._parse(line, cell)
        if options.help is not None or not query.strip():
            from durable_nb.analytics.views import describe  # noqa: PLC0415 - not needed by %load_ext

            print(describe(options.help or ""))  # noqa: T201 - help goes to the cell
            return None
        bound = bind(query, self.shell.user_ns)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResultCutWarning)
            frame = _frames.sql(
                bound.text,
                bound.params or None,
                as_=options.as_,
                limit=options.limit or None,
                tables=bound.tables or None,
                client=self.session.client,
            )
        for warning in caught:
            if issubclass(warning.category, ResultCutWarning):
                print(f"cut after {options.limit:,} rows: --limit 0 gives all, LIMIT in SQL fewer")  # noqa: T201
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if not keep:
            return frame
        self.shell.user_ns[keep] = frame
        rows, columns = frame.shape
        print(f"{keep}: {plural(rows, 'row')}, {plural(columns, 'column')}")  # noqa: T201
        return None

    def _parse(self, line: str, cell: str | None) -> tuple[str, argparse.Namespace, str]:
        found = _KEEP.match(line)
        keep, rest = (found[1], found[2]) if found else ("", line)
        if iskeyword(keep):
            raise NotebookError(f"{keep!r} is a word of Python's and names no variable", fix=f"%%{MAGIC} my_{keep} <<")
        parser = _Parser(prog=f"%%{MAGIC}", add_help=False, allow_abbrev=False)
        parser.add_argument("--limit", type=int, default=_frames._LIMIT)
        parser.add_argument("--as", dest="as_", choices=("pandas", "polars", "arrow"), default="pandas")
        parser.add_argument("--help", nargs="?", const="", default=None)
        if cell is not None:
            return keep, parser.parse_args(split_line(rest)), cell
        words = rest.split()
        count = 0
        while count < len(words) and words[count].startswith("--"):
            count += 1 if "=" in words[count] else 2
        head = words[:count]
        query = rest.split(None, count)[count] if len(words) > count else ""
        return keep, parser.parse_args(head), query


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise NotebookError(message, fix=f"%%{MAGIC} [NAME <<] [--limit N] [--as pandas|polars|arrow]")


# -- while it takes long -------------------------------------------------------------------------------------------


class ProgressLine:
    """One line under the cell that tells how far a long query is, and goes when it is over."""

    def __init__(self, shell: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._shell, self._clock = shell, clock
        self._next = clock() + _PATIENCE
        self._id = ""

    def tell(self, text: str) -> None:
        """May be called from any thread, as often as one likes."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _PACE
        self._publish(text)

    def close(self) -> None:
        if self._id:
            self._publish("")

    def _publish(self, text: str) -> None:
        update = bool(self._id)
        self._id = self._id or f"durable_nb-{id(self):x}"
        self._shell.display_pub.publish(
            data={"text/plain": text}, metadata={}, transient={"display_id": self._id}, update=update
        )


# -- completion ----------------------------------------------------------------------------------------------------


def matcher() -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Completes views and columns inside ``%%workflow_sql`` cells and ``%workflow_sql`` lines."""

    @context_matcher(identifier="durable_nb.workflow_sql")  # type: ignore[untyped-decorator]
    def complete(context: CompletionContext) -> SimpleMatcherResult:
        text = context.full_text.lstrip()
        if not text.startswith((f"%%{MAGIC}", f"%{MAGIC}")):
            return SimpleMatcherResult(completions=[])
        typed = re.search(r"[A-Za-z_]\w*$", context.line_with_cursor[: context.cursor_position])
        word = typed[0].lower() if typed else ""
        found = [SimpleCompletion(name, type=kind) for name, kind in _words(text) if name.startswith(word)]
        return SimpleMatcherResult(completions=found, matched_fragment=typed[0] if typed else "", suppress=bool(found))

    return complete  # type: ignore[no-any-return]


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Views, then the columns of the views that the query names, or of all while it names none."""
    from durable_nb.analytics.views import VIEWS  # noqa: PLC0415 - not needed by %load_ext

    named = [view for name, view in VIEWS.items() if re.search(rf"\b{name}(_v\d+)?\b", text)]
    for name in VIEWS:
        yield name, "view"
    columns = dict.fromkeys(column.name for view in named or VIEWS.values() for column in view.columns)
    for name in columns:
        yield name, "column"


def install(ip: Any, session: NotebookSession) -> Callable[[], None]:
    """Offer the magic, its completion and the line of long queries; returns what takes them back."""
    ip.register_magics(SqlMagics(ip, session))
    complete = matcher()
    ip.Completer.custom_matchers.append(complete)
    _frames.set_current(session.client)

    def make() -> tuple[Callable[[str], None], Callable[[], None]]:
        line = ProgressLine(ip)
        return line.tell, line.close

    # Only a kernel's front end can take a line back.
    _frames.set_progress(make if hasattr(ip, "kernel") else None)

    def undo() -> None:
        for kind in ("line", "cell"):
            ip.magics_manager.magics[kind].pop(MAGIC, None)
        if complete in ip.Completer.custom_matchers:
            ip.Completer.custom_matchers.remove(complete)
        _frames.set_progress(None)

    return undo
