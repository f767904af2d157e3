"""Which real thing a name in a cell means: ``t.time`` after ``import time as t`` is ``time.time``.

Names are looked up as Python would: local names of the function hide everything, then imports seen in the source,
then the function's globals. Nothing of the user's is called or imported; attributes are read from modules and classes
by ``vars`` alone, so no property or ``__getattr__`` runs. Invariant: where a name cannot be known, there is no answer.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from durable_nb.notebook import lint_rules

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def dotted(node: ast.expr) -> list[str] | None:
    """``["a", "b", "c"]`` for the expression ``a.b.c``; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return parts[::-1]


def imports_of(nodes: list[ast.stmt]) -> dict[str, str]:
    """What import statements bind: local name to full dotted name; also those in ``if`` and ``try``."""
    bound: dict[str, str] = {}
    stack: list[ast.AST] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".", 1)[0]
                bound[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif not isinstance(node, _SCOPES):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return bound


def local_names(function: FunctionNode | ast.Lambda) -> set[str]:
    """Names that a function binds itself (parameters, targets, nested definitions), without imports and ``global``."""
    arguments = function.args
    names = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    names |= {parameter.name for parameter in getattr(function, "type_params", ())}
    outer: set[str] = set()
    stack: list[ast.AST] = list(function.body) if isinstance(function.body, list) else [function.body]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer |= set(node.names)
        elif isinstance(node, _SCOPES):
            names |= {node.name} if not isinstance(node, ast.Lambda) else set()
            continue
        stack.extend(ast.iter_child_nodes(node))
    return names - outer


class Names:
    """Names visible in one function.

    Parameters
    ----------
    namespace
        Globals of the function; may be empty when nothing was run.
    imports
        Imports seen in the source, local name to full name; they win over ``namespace``, which may be older.
    hidden
        Local names, which mean nothing outside the function.
    """

    __slots__ = ("hidden", "imports", "namespace")

    def __init__(
        self, namespace: Mapping[str, Any], imports: Mapping[str, str], hidden: frozenset[str] = frozenset()
    ) -> None:
        self.namespace = namespace
        self.imports = imports
        self.hidden = hidden

    def within(self, function: FunctionNode | ast.Lambda) -> Names:
        """Names visible inside a function that is written here."""
        bound = local_names(function)
        imported = imports_of(function.body) if isinstance(function.body, list) else {}
        imports = {name: full for name, full in self.imports.items() if name not in bound} | imported
        return Names(self.namespace, imports, frozenset((self.hidden | bound) - imported.keys()))

    def full_name(self, node: ast.expr) -> str | None:
        """Full dotted name of what an expression means; None where it cannot be known."""
        parts = dotted(node)
        if parts is None or parts[0] in self.hidden:
            return None
        first, rest = parts[0], parts[1:]
        imported = self.imports.get(first)
        if imported is not None:
            return _canonical(".".join([imported, *rest]))
        missing = object()
        found = self.namespace.get(first, missing)
        if found is missing:
            return ".".join(["builtins", *parts]) if hasattr(builtins, first) else None
        return _name_of(found, rest)

    def value(self, name: str) -> Any:
        """The object a global name means now; None where there is none or it is hidden."""
        return None if name in self.hidden or name in self.imports else self.namespace.get(name)


def _name_of(value: Any, rest: list[str]) -> str | None:
    """Full name of ``value.rest``: of modules and classes their own, of functions the one that rules know."""
    while rest and isinstance(value, ModuleType):
        child = vars(value).get(rest[0])
        if child is None:
            return _canonical(".".join([value.__name__, *rest]))
        if not isinstance(child, ModuleType | type):
            return _known_name(child) or _canonical(".".join([value.__name__, *rest]))
        value, rest = child, rest[1:]
    if isinstance(value, ModuleType):
        return _canonical(value.__name__)
    if isinstance(value, type):
        return _canonical(".".join([value.__module__, value.__qualname__, *rest]))
    name = _known_name(value)
    if name is not None:
        return _canonical(".".join([name, *rest]))
    if rest and not hasattr(value, "__qualname__"):
        return _instance_name(type(value), rest)
    module = getattr(value, "__module__", None) if callable(value) and hasattr(value, "__qualname__") else None
    return _canonical(".".join([module, value.__qualname__, *rest])) if isinstance(module, str) else None


def _instance_name(kind: type, rest: list[str]) -> str | None:
    """``requests.sessions.Session.get`` for a method of an object in the globals, where rules name its module."""
    owner = next((base for base in kind.__mro__ if (base.__module__, base.__name__) in _OBJECTS), kind)
    module = owner.__module__
    known = (owner.__module__, owner.__name__) in _OBJECTS or module.split(".", 1)[0] in lint_rules.PREFIXES
    return (
        _canonical(".".join(["pathlib" if owner.__name__ == "Path" else module, owner.__qualname__, *rest]))
        if known
        else None
    )


_OBJECTS = {
    ("pathlib", "Path"),
    ("pathlib._local", "Path"),
    ("durable_nb.client", "Client"),
    ("durable_nb.client", "WorkflowHandle"),
}
"""Classes of global objects whose methods rules name."""

_ALIASES = {
    "IPython.core.interactiveshell._modified_open": "builtins.open",
    "posixpath.": "os.path.",
    "ntpath.": "os.path.",
    "_io.": "io.",
    "pathlib._local.": "pathlib.",
}


def _canonical(name: str) -> str:
    """One name for things that Python files under several (``os.path``, pandas classes, ``asyncio.tasks``)."""
    for prefix, better in _ALIASES.items():
        if name.startswith(prefix):
            return better + name[len(prefix) :]
    head, _, rest = name.partition(".")
    if head in ("pandas", "asyncio", "concurrent", "multiprocessing", "requests", "httpx", "polars"):
        last = name.rsplit(".", 1)[-1]
        short = "concurrent.futures." + last if head == "concurrent" else f"{head}.{last}"
        if short in lint_rules.NAMES or (head == "pandas" and last.startswith("read_")):
            return short
        if head == "pandas" and "Timestamp." in rest:
            return "pandas.Timestamp." + last
    return name


def _known_name(value: Any) -> str | None:
    """Name under which the rules know an object that does not know it itself, such as ``random.randint``."""
    if value is None:
        return None
    bare = _bare(value)
    for name in (*lint_rules.NAMES, *(f"random.{attr}" for attr in _RANDOM_FUNCTIONS)):
        module_name, _, attribute = name.rpartition(".")
        module = sys.modules.get(module_name)
        if module is not None and _bare(vars(module).get(attribute)) is bare:
            return name
    return None


def _bare(value: Any) -> Any:
    """A function without the guard that ``runtime`` puts around it while workflows run."""
    guarded = isinstance(value, FunctionType) or getattr(type(value), "__durable_nb_guard__", False)
    return vars(value).get("__wrapped__", value) if guarded else value


_RANDOM_FUNCTIONS = (
    "random randint randrange uniform choice choices sample shuffle gauss normalvariate expovariate betavariate "
    "gammavariate triangular lognormvariate vonmisesvariate paretovariate weibullvariate getrandbits randbytes seed "
    "getstate setstate binomialvariate".split()
)
