"""Definitions without their bodies: what a workflow must know of an activity or of another workflow.

To schedule an activity or start a child, workflow code needs its name, its options and its annotations. What the body
does is a matter of that definition's own version, so it is no part of the unit, and may change freely.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def function_stub(text: str) -> str:
    """The text of a function with ``...`` for its body."""
    return _cut(text, [_only(text)])


def class_stub(text: str, *, only_activities: bool) -> str:
    """The text of a class with ``...`` for the bodies of its methods.

    Parameters
    ----------
    only_activities
        Of those alone that are activities: decorated with ``….defn``, or ``__call__`` of a class that is.
    """
    node = _only(text)
    methods = [inner for inner in node.body if isinstance(inner, FunctionNode)]
    if only_activities:
        callable_class = is_decorated(node)
        methods = [each for each in methods if is_decorated(each) or (callable_class and each.name == "__call__")]
    return _cut(text, methods)


def is_decorated(node: FunctionNode | ast.ClassDef) -> bool:
    """Whether a definition is a workflow or an activity: decorated with ``….defn``."""
    return any(_last_word(decorator) == "defn" for decorator in node.decorator_list)


def _only(text: str) -> FunctionNode | ast.ClassDef:
    [node] = ast.parse(text).body
    assert isinstance(node, FunctionNode | ast.ClassDef)  # noqa: S101 - the caller located it
    return node


def _cut(text: str, nodes: Sequence[FunctionNode | ast.ClassDef]) -> str:
    lines = text.splitlines(keepends=True)
    for node in sorted(nodes, key=lambda found: -found.lineno):
        first, last = node.body[0], node.end_lineno or node.lineno
        begin = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
        header = lines[begin - 1].encode()[: first.col_offset].decode()
        if header.strip():  # ``def f(): return 1``
            lines[begin - 1 : last] = [header + "...\n"]
        else:
            indent = " " * node.col_offset
            lines[begin - 1 : last] = [textwrap.indent("...\n", indent + "    ")]
    return "".join(lines)


def _last_word(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""
