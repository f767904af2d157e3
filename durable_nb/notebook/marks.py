"""Notices each decorated definition of a cell at the moment it is made, by one more decorator around it.

An AST transformer puts ``get_ipython().durable_nb.mark(first, last)`` above ``@workflow.defn`` and
``@activity.defn`` of a cell's top-level definitions. So a definition is registered as soon as its statement has run,
and a cell may define a workflow, start it and await it. The added node takes the place of the first decorator, so line
numbers and ``inspect.getsource`` do not change. Definitions that come from imported modules are found by looking at
the namespace afterwards (``capture``).
"""

from __future__ import annotations

import ast

_TEMPLATE = "get_ipython().durable_nb.mark({first}, {last})"


class MarkDefinitions(ast.NodeTransformer):
    """IPython AST transformer; leaves everything but top-level definitions decorated with ``….defn`` alone."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        for statement in _top_level(node.body):
            if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                _mark(statement)
        return node


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements of a cell, also those in ``if``, ``try``, ``with`` and loops, but not in functions and classes."""
    found: list[ast.stmt] = []
    for statement in body:
        found.append(statement)
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(statement, part, None)
            if isinstance(inner, list):
                found += _top_level(inner)
        for handler in getattr(statement, "handlers", ()):
            found += _top_level(handler.body)
    return found


def _mark(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if not any(_last_word(decorator) == "defn" for decorator in node.decorator_list):
        return
    first = min(decorator.lineno for decorator in node.decorator_list)
    mark = ast.parse(_TEMPLATE.format(first=first, last=node.end_lineno), mode="eval").body
    for part in ast.walk(mark):
        ast.copy_location(part, node.decorator_list[0])
    node.decorator_list.insert(0, mark)


def _last_word(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""
