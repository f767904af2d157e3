"""``%%workflow`` as an input transformer: the cell stays an ordinary cell.

A cell magic of the usual kind receives its body as text and has to run it a second time, which costs top-level
``await``, line numbers, completion and syntax errors. Here the header line alone is replaced, by one call on the same
line, so Python sees every other line where the user wrote it. Invariant: the transformed cell has as many lines as
the cell, and all but the header (or, with ``from __future__``, one more) are unchanged.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

MAGIC = "workflow"
CALL = "get_ipython().durable_nb.begin_cell({options!r})"
"""What the header line becomes; ``extension`` puts the session at ``durable_nb`` on the shell."""

_HEADER = re.compile(r"%%workflow(?![\w?])[ \t]*(.*)")
_FUTURE = re.compile(r"[ \t]*from[ \t]+__future__[ \t]+import\b")


def header_options(cell: str) -> str | None:
    """Options of a ``%%workflow`` cell, "" for none; None when the cell is not one."""
    for line in cell.split("\n"):
        if line.strip():
            found = _HEADER.match(line.strip())
            return found.group(1).strip() if found else None
    return None


def workflow_cell(lines: list[str]) -> list[str]:
    """The input transformer: lines of a cell (with line ends) in, as many lines out."""
    if not lines:
        return lines
    found = _HEADER.match(lines[0])
    if found is None:
        return lines
    call = CALL.format(options=found.group(1).strip())
    end = _end_of_future_imports(lines)
    if end is None:
        return [call + "\n", *lines[1:]]
    # ``from __future__`` must be the first statement: the call moves to the end of its last line.
    line, column = end
    text = lines[line].encode()
    merged = text[:column].decode() + "; " + call + text[column:].decode()
    return ["\n", *lines[1:line], merged, *lines[line + 1 :]]


def _end_of_future_imports(lines: list[str]) -> tuple[int, int] | None:
    """Index of the line and byte column where the last ``from __future__`` import ends; None without one."""
    first = next((i for i, line in enumerate(lines) if _FUTURE.match(line)), None)
    if first is None:
        return None
    try:
        body = ast.parse("".join(["\n", *lines[1:]])).body
    except (SyntaxError, ValueError):
        # The cell holds magics or a mistake; the statement itself can still be read where it is on one line.
        statement = lines[first].split("#", 1)[0].rstrip()
        return first, len(statement.encode())
    end = None
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            end = (node.end_lineno or 1) - 1, node.end_col_offset or 0
    return end


def install(manager: Any, transformer: Callable[[list[str]], list[str]] = workflow_cell) -> None:
    """Put the transformer before IPython's own ``cell_magic``; a second call changes nothing.

    Parameters
    ----------
    manager
        ``ip.input_transformer_manager``. IPython keeps ``cell_magic`` among the line transforms, older ones among the
        clean-up transforms: in both the end of the clean-up, or the place right before it, comes first.
    """
    transforms = manager.cleanup_transforms
    if transformer in transforms:
        return
    names = [getattr(found, "__name__", "") for found in transforms]
    transforms.insert(names.index("cell_magic") if "cell_magic" in names else len(transforms), transformer)


def uninstall(manager: Any, transformer: Callable[[list[str]], list[str]] = workflow_cell) -> None:
    """Take the transformer out again."""
    while transformer in manager.cleanup_transforms:
        manager.cleanup_transforms.remove(transformer)
