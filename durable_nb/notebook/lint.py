"""Static check of workflow code: clock, randomness, I/O, threads and other things that break replay.

Looks only inside workflow definitions and the plain functions that they call in the same notebook or module; never
into activities. A finding names the line, the rule and the remedy. ``# noqa: DNB120`` on the line (or a bare
``# noqa``) accepts it, and code under ``workflow.unsafe.sandbox_unrestricted()`` is left alone. Nothing is executed.
Invariant: no finding without a name that was resolved for certain (``names``): doubt is silence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from durable_nb.notebook.lint_rules import Rule
from durable_nb.notebook.lint_visitor import Visitor, decorator_name, is_activity, is_activity_object
from durable_nb.notebook.names import FunctionNode, Names, imports_of

_NOQA = re.compile(r"#\s*noqa(?::\s*(?P<codes>[A-Z0-9,\s]+))?", re.IGNORECASE)
_MAX_HELPERS = 50


class Finding(NamedTuple):
    """One thing to change. ``line`` counts from 1 in the cell or file; ``text`` is that line."""

    code: str
    line: int
    message: str
    remedy: str
    definition: str
    text: str = ""
    where: str = ""
    """Origin of the line where it is not in the definition's own cell."""

    def __str__(self) -> str:
        place = f"{self.where}, line {self.line}" if self.where else f"line {self.line}"
        source = f"\n         {self.text.strip()}" if self.text else ""
        return f"{self.code} {place}, {self.definition}: {self.message}{source}\n         fix: {self.remedy}"


class Source(NamedTuple):
    """Code to look at: the tree of a whole cell or file (line numbers are the cell's) and its lines."""

    tree: ast.Module
    lines: list[str]
    namespace: Mapping[str, Any] = {}
    """Globals that the code runs with; may be empty."""
    label: str = ""
    """Named in findings where it is not empty: the place of a helper that is written elsewhere."""
    find: Callable[[FunctionType], tuple[FunctionNode, Source] | None] | None = None
    """Finds the source of a helper function that other cells define; None looks at this source only."""


def parse_source(text: str, namespace: Mapping[str, Any] | None = None, label: str = "") -> Source:
    """A cell or file ready for ``lint_definition``.

    Raises
    ------
    SyntaxError
        The text is not Python.
    """
    return Source(ast.parse(text), text.splitlines(), namespace or {}, label)


def lint_source(text: str, namespace: Mapping[str, Any] | None = None) -> list[Finding]:
    """Findings in all workflow definitions of a cell, recognised by their decorator ``workflow.defn``."""
    source = parse_source(text, namespace)
    names = Names(source.namespace, imports_of(source.tree.body))
    found: list[Finding] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_workflow(node, names):
            found += lint_definition(node, source)
    return found


def lint_definition(node: ast.ClassDef | FunctionNode, source: Source) -> list[Finding]:
    """Findings in one workflow class or function and in the helpers that it calls, in the order of lines."""
    names = Names(source.namespace, imports_of(source.tree.body))
    helpers: dict[str, FunctionNode] = {
        found.name: found for found in source.tree.body if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    check = _Check(node.name, source, helpers)
    if isinstance(node, ast.ClassDef):
        inside = Names(names.namespace, names.imports, names.hidden)
        for method in node.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not is_activity(method, inside):
                check.function(method, inside)
    else:
        check.function(node, names)
    check.called_helpers(names)
    unique = {(f.where, f.line, f.code, f.message): f for f in check.found}
    return sorted(unique.values(), key=lambda f: (f.where, f.line, f.code))


def _is_workflow(node: ast.ClassDef | FunctionNode, names: Names) -> bool:
    return any(decorator_name(d, names) == "workflow.defn" for d in node.decorator_list)


class _Check:
    """Collects findings of one definition; ``pending`` are helper functions still to be looked at."""

    def __init__(self, definition: str, source: Source, helpers: Mapping[str, FunctionNode]) -> None:
        self.definition = definition
        self.source = source
        self.helpers = helpers
        self.found: list[Finding] = []
        self.pending: list[tuple[FunctionNode, Source]] = []
        self.seen: set[str] = set()

    def function(self, node: FunctionNode, names: Names) -> None:
        Visitor(self, names.within(node)).body(node)

    def called_helpers(self, names: Names) -> None:
        """Look into plain functions of the notebook that the workflow calls, and those that these call."""
        own = self.source
        while self.pending:
            helper, self.source = self.pending.pop()
            there = names if self.source is own else Names(own.namespace, imports_of(self.source.tree.body))
            if not is_activity(helper, there):
                self.function(helper, there)
        self.source = own

    def call_helper(self, name: str, names: Names) -> None:
        if name in self.seen or len(self.seen) >= _MAX_HELPERS:
            return
        self.seen.add(name)
        if name in self.helpers:
            self.pending.append((self.helpers[name], self.source))
            return
        value = names.value(name)
        if self.source.find is None or not isinstance(value, FunctionType) or is_activity_object(value):
            return
        if value.__globals__ is self.source.namespace:
            found = self.source.find(value)
            if found is not None:
                self.pending.append(found)

    def add(self, node: ast.AST, rule: Rule, subject: str, why: str = "") -> None:
        line = getattr(node, "lineno", 0)
        last = getattr(node, "end_lineno", line) or line
        if any(self._accepted(number, rule.code) for number in (line, last)):
            return
        text = self.source.lines[line - 1] if 0 < line <= len(self.source.lines) else ""
        message = f"{subject} {why or rule.why}"
        self.found.append(Finding(rule.code, line, message, rule.remedy, self.definition, text, self.source.label))

    def _accepted(self, line: int, code: str) -> bool:
        if not 0 < line <= len(self.source.lines):
            return False
        found = _NOQA.search(self.source.lines[line - 1])
        if found is None:
            return False
        codes = found.group("codes")
        return codes is None or code in codes.upper().replace(",", " ").split()
