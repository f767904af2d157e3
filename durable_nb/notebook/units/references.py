"""Which names of its module a statement refers to: at once when it runs, or later when its functions are called.

Scopes are those of Python's own symbol table, so locals, parameters and nested functions are told apart from globals
as the compiler does it, and the answer is the same in every version of Python. Pure.
"""

from __future__ import annotations

import ast
import symtable
from typing import NamedTuple

_LATER = frozenset({"function", "type alias", "TypeVar bound", "type variable"})
"""Scopes of the symbol table that run when they are asked for."""


class References(NamedTuple):
    """Names of globals, in the order of their first appearance."""

    at_once: tuple[str, ...]
    """Needed when the statement runs: decorators, bases, defaults, the bodies of classes."""
    later: tuple[str, ...]
    """Needed only when a function of the statement is called, or its annotations are read."""
    attributes: frozenset[str]
    """Dotted names that begin with a global: ``concurrent.futures``."""


def references(text: str, *, annotations_later: bool = False) -> References:
    """Names that a top-level statement refers to.

    Parameters
    ----------
    annotations_later
        ``from __future__ import annotations`` is in force.

    Raises
    ------
    SyntaxError
        The text is not Python.
    """
    tree = ast.parse(text)
    annotated = _annotation_names(tree, only_text=not annotations_later)
    if annotations_later:
        tree = _WithoutAnnotations().visit(tree)
    tree = ast.fix_missing_locations(_Generators().visit(tree))
    at_once: set[str] = set()
    later: set[str] = set()
    _collect(symtable.symtable(ast.unparse(tree), "unit", "exec"), at_once, later, deferred=False)
    rank = {name: place for place, name in enumerate(_appearance(text))}

    def place(name: str) -> tuple[int, str]:
        return rank.get(name, len(rank)), name

    later = (later | annotated) - at_once
    dotted = frozenset(_dotted_names(text))
    return References(tuple(sorted(at_once, key=place)), tuple(sorted(later, key=place)), dotted)


def _collect(table: symtable.SymbolTable, at_once: set[str], later: set[str], *, deferred: bool) -> None:
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        used = symbol.is_referenced() or (not top and symbol.is_declared_global())
        if used and (top or symbol.is_global()):
            (later if deferred else at_once).add(symbol.get_name())
    for child in table.get_children():
        waits = child.get_type() in _LATER and child.get_name() != "genexpr"
        _collect(child, at_once, later, deferred=deferred or waits)


class _Generators(ast.NodeTransformer):
    """Makes generators of comprehensions: same scopes, but from Python 3.12 on (PEP 709) the symbol table counts the
    variables of the others among the names of what they stand in.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.AST:
        return self.generic_visit(ast.GeneratorExp(node.elt, node.generators))

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self.generic_visit(ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators))


class _WithoutAnnotations(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def _annotation_names(tree: ast.Module, *, only_text: bool) -> set[str]:
    """Names in annotations; with ``only_text`` those alone that stand in quotes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        found = node.annotation if isinstance(node, ast.arg | ast.AnnAssign) else getattr(node, "returns", None)
        if found is None:
            continue
        for part in ast.walk(found):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                names |= _names_in_text(part.value)
            elif isinstance(part, ast.Name) and not only_text:
                names.add(part.id)
    return names


def _names_in_text(text: str) -> set[str]:
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return set()  # a Literal["some text"], for instance
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _appearance(text: str) -> list[str]:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in found))


def _dotted_names(text: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if parts and isinstance(inner, ast.Name):
            names.add(".".join([inner.id, *reversed(parts)]))
    return names
