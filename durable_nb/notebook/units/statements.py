"""Which top-level statement bound a name: the latest one of all cells that ran, or that of a module's file."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

MAX_CELLS = 1000
"""Cells that are remembered; older ones count as gone."""

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Statement(NamedTuple):
    """A statement and its text, dedented. ``repeated``: it stands in a loop, so its value is that of one turn.

    ``cell`` names the cell that it stands in (``cell [3]``), "" where that is not known.
    """

    node: ast.stmt
    text: str
    repeated: bool = False
    cell: str = ""


class Statements(Protocol):
    """Where a namespace came from."""

    def find(self, name: str) -> Statement | None:
        """The statement that bound a name last; None where none is known."""


class CellStatements:
    """The statements of all cells, as they are run."""

    def __init__(self) -> None:
        self._cells: dict[int, dict[str, Statement]] = {}
        self._number = 0

    def add(self, text: str, cell: str = "") -> dict[str, Statement]:
        """A cell is about to run; gives what it binds at its top level, {} for one that is not Python."""
        found = bindings(text, cell)
        if found:
            self._number += 1
            self._cells[self._number] = found
            self._cells.pop(self._number - MAX_CELLS, None)
        return found

    def forget(self, names: Iterable[str]) -> None:
        """The cell that was added last did not come to the statements that bind these names."""
        for name in names:
            self._cells.get(self._number, {}).pop(name, None)

    def find(self, name: str) -> Statement | None:
        for number in reversed(self._cells):
            found = self._cells[number].get(name)
            if found is not None:
                return found
        return None


class FileStatements:
    """The statements of a module's file, read through ``linecache``."""

    def __init__(self, filename: str) -> None:
        self._found = bindings("".join(linecache.getlines(filename)))

    def find(self, name: str) -> Statement | None:
        return self._found.get(name)


def bindings(text: str, cell: str = "") -> dict[str, Statement]:
    """The last statement that binds each name at the top level of a cell or file; {} where it is not Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return {}
    lines = text.splitlines(keepends=True)
    found: dict[str, Statement] = {}
    for node, repeated in _top_level(tree.body, repeated=False):
        statement = None
        for name in _bound(node):
            statement = statement or Statement(node, _text(node, lines), repeated, cell)
            found[name] = statement
    return found


def _top_level(body: Iterable[ast.stmt], *, repeated: bool) -> Iterator[tuple[ast.stmt, bool]]:
    for node in body:
        yield node, repeated
        if isinstance(node, _DEFINITIONS):
            continue
        inside = repeated or isinstance(node, ast.For | ast.AsyncFor | ast.While)
        for part in ("body", "orelse", "finalbody"):
            yield from _top_level(getattr(node, part, None) or (), repeated=inside)
        for handler in getattr(node, "handlers", ()):
            yield from _top_level(handler.body, repeated=inside)
        for case in getattr(node, "cases", ()):
            yield from _top_level(case.body, repeated=inside)


def _bound(node: ast.stmt) -> list[str]:
    """Names that a statement itself binds; those of statements inside it are theirs."""
    if isinstance(node, _DEFINITIONS):
        return [node.name]
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.split(".", 1)[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.With | ast.AsyncWith):
        parts: list[ast.AST] = [*node.items]
    elif isinstance(node, ast.For | ast.AsyncFor):
        parts = [node.target, node.iter]
    elif isinstance(node, ast.If | ast.While):
        parts = [node.test]
    elif isinstance(node, ast.Try | ast.TryStar | ast.Match):
        parts = []
    else:
        parts = [node]
    return _stored(parts)


def _stored(waiting: list[ast.AST]) -> list[str]:
    """Names that expressions and simple statements bind where they stand."""
    names = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.append(node.id)
        own = node.target if isinstance(node, ast.comprehension) else None  # seen in the comprehension alone
        waiting += [each for each in ast.iter_child_nodes(node) if each is not own and not isinstance(each, ast.Lambda)]
    return names


def _text(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    last = node.end_lineno or node.lineno
    whole = lines[first - 1 : last]
    # Other statements may share its lines: then its own part is cut out. It stays as it is written, because what
    # ``ast.unparse`` makes of it is not the same in every version of Python.
    data = whole[-1].encode()
    before, after = whole[0].encode()[: node.col_offset].strip(), data[node.end_col_offset or len(data) :].strip()
    if not decorators and (before or after.startswith(b";")):
        whole[-1] = data[: node.end_col_offset].decode()
        if before:
            whole[0] = whole[0].encode()[node.col_offset :].decode()
    return textwrap.dedent("".join(whole)).rstrip() + "\n"
