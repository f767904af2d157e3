"""The source of a definition that was made in a cell: its text, its lines in the cell, its digest.

``inspect.getsource`` cannot find a class of a notebook (it looks for the file of ``__main__``), so the text is found
by the file name that each cell is compiled under, which IPython keeps in ``linecache``. Invariant: ``Located.text``
is exactly the lines of the definition from its first decorator to its end, dedented.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from durable_nb.errors import DefinitionSourceError

DefinitionNode = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Located(NamedTuple):
    """Where a definition stands. ``first_line`` and ``last_line`` count from 1 in the cell or file ``filename``."""

    text: str
    filename: str
    first_line: int
    last_line: int
    node: DefinitionNode
    tree: ast.Module
    lines: list[str]

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hexadecimal: the same for the same source in any cell, file or process."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """SHA-256 of a definition's source, hexadecimal, after dedenting and with line ends unified."""
    return hashlib.sha256(textwrap.dedent(text.replace("\r\n", "\n")).rstrip().encode("utf-8", "replace")).hexdigest()


def locate(definition: Any) -> Located:
    """Source of a workflow class, a function or an activity, decorated or not.

    Raises
    ------
    DefinitionSourceError
        DNB110: made by ``exec`` or ``type(...)``, or its cell is gone.
    """
    code = _code_of(definition)
    name = getattr(definition, "__name__", type(definition).__name__)
    if code is None:
        raise DefinitionSourceError(f"{name} has no Python code whose source could be kept", fix=_FIX)
    located = locate_line(code.co_filename, name if isinstance(definition, type) else code.co_name, code.co_firstlineno)
    if located is None:
        raise DefinitionSourceError(f"the source of {name} cannot be found", where=code.co_filename, fix=_FIX)
    return located


_FIX = "write the definition in a cell or in a module, not through exec() or type()"


def locate_line(filename: str, name: str, line: int) -> Located | None:
    """The innermost definition called ``name`` that covers ``line`` of a cell or file."""
    lines = linecache.getlines(filename)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None
    best: DefinitionNode | None = None
    for node in ast.walk(tree):
        if not isinstance(node, DefinitionNode) or node.name != name:
            continue
        inside = first_line_of(node) <= line <= (node.end_lineno or node.lineno)
        if inside and (best is None or first_line_of(node) > first_line_of(best)):
            best = node
    return None if best is None else cut(best, tree, lines, filename)


def cut(node: DefinitionNode, tree: ast.Module, lines: list[str], filename: str) -> Located:
    """The part of a cell or file that belongs to one definition."""
    first, last = first_line_of(node), node.end_lineno or node.lineno
    text = textwrap.dedent("".join(lines[first - 1 : last])).rstrip() + "\n"
    return Located(text, filename, first, last, node, tree, [line.rstrip("\r\n") for line in lines])


def first_line_of(node: DefinitionNode) -> int:
    """Line of the first decorator, or of the definition itself."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _code_of(definition: Any) -> CodeType | None:
    if isinstance(definition, type):
        functions = (found for value in vars(definition).values() if (found := _function(value)) is not None)
        own = (f for f in functions if f.__qualname__.startswith(definition.__qualname__ + "."))
        return next((f.__code__ for f in own), None)
    function = _function(definition)
    return None if function is None else function.__code__


def _function(value: Any) -> FunctionType | None:
    unwrap: Callable[[Any], Any] = inspect.unwrap
    found = unwrap(getattr(value, "__func__", value)) if callable(value) or hasattr(value, "__func__") else None
    return found if isinstance(found, FunctionType) else None
