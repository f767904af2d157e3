"""From a definition to its unit: the definition and, transitively, what its code refers to.

Names are looked up in the namespace that the definition runs in. A function or class that was written there joins with
its source, an imported thing with its import, a constant with the statement that made it (or, where plain data came
about otherwise, with its value). Bodies of activities and of child workflows stay out (``stubs``). Invariant: the same
sources give the same text, whatever the cells' numbers and the order in which they ran.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from durable_nb.errors import DefinitionSourceError
from durable_nb.notebook.sources import Located, digest_of, locate
from durable_nb.notebook.units.imports import import_line, submodule_lines
from durable_nb.notebook.units.ordering import Fragment, in_order
from durable_nb.notebook.units.rebuilding import is_immutable, literal, obstacle
from durable_nb.notebook.units.references import References, references
from durable_nb.notebook.units.statements import Statement, Statements
from durable_nb.notebook.units.stubs import class_stub, function_stub

WORKFLOW_ATTRIBUTE = "__temporal_workflow_definition"
ACTIVITY_ATTRIBUTE = "__temporal_activity_definition"
_FUTURE = "from __future__ import annotations"
_FUTURE_FLAG = 0x1000000
"""``CO_FUTURE_ANNOTATIONS``."""

_DEFINITIONS = FunctionType | type

FORMER_CLASS = "its class was edited since it was made"


class Unit(NamedTuple):
    """A definition with what it uses."""

    text: str
    uses: dict[str, Any]
    """What each global name of the unit is bound to here."""
    lost: dict[str, str]
    """Names whose value cannot be made again from source, and why."""
    absent: tuple[str, ...]
    """Names that nothing is bound to yet."""
    activities: tuple[str, ...]
    """Activity types that it refers to."""

    @property
    def digest(self) -> str:
        """The version: SHA-256 of the text, hexadecimal."""
        return digest_of(self.text)


def build_unit(
    located: Located, definition: Any, namespace: Mapping[str, Any], statements: Statements, *, stubs: bool = True
) -> Unit:
    """The unit of a definition.

    Parameters
    ----------
    located
        Where its source stands.
    definition
        The class or function.
    namespace
        Globals of its code.
    statements
        What bound them.
    stubs
        Leave out bodies of activities; an activity that calls others as plain functions needs them.
    """
    builder = _Builder(namespace, statements, stubs=stubs)
    builder.root(located, definition)
    return builder.unit()


def build_bound_unit(bound_as: str, activity: str, namespace: Mapping[str, Any], statements: Statements) -> Unit:
    """The unit of an activity that needs an instance: the statement that made it, its class, and what they use.

    Parameters
    ----------
    bound_as
        Name of the instance in the namespace.
    activity
        Name of the method; "" where the instance itself is the activity.
    """
    builder = _Builder(namespace, statements, stubs=False)
    builder.take_in([bound_as])
    # Several activities of one instance are several units.
    return builder.unit(f"# the activity is {bound_as}.{activity}" if activity else f"# the activity is {bound_as}")


class _Builder:
    def __init__(self, namespace: Mapping[str, Any], statements: Statements, *, stubs: bool) -> None:
        self._namespace = namespace
        self._statements = statements
        self._stubs = stubs
        self._module = str(namespace.get("__name__", ""))
        package = namespace.get("__package__")
        self._package = package if isinstance(package, str) else ""
        self._fragments: dict[str, Fragment] = {}
        self._imports: dict[str, None] = {}
        self._uses: dict[str, Any] = {}
        self._lost: dict[str, str] = {}
        self._absent: dict[str, None] = {}
        self._activities: dict[str, None] = {}
        self._whole: set[str] = set()
        """Classes that others inherit from: they need their bodies."""
        self._future = False

    def root(self, located: Located, definition: Any) -> None:
        """Take in the definition, then everything it refers to."""
        name = located.node.name
        self._future = _has_future(definition)
        self._uses[name] = definition
        # Statements that follow from the definition are taken in the order of its text: the unit is always the same.
        self.take_in(self._add(name, located.text))

    def take_in(self, waiting: list[str]) -> None:
        """Take in what these names are bound to, and everything that this refers to."""
        while waiting:
            found = waiting.pop(0)
            if found not in self._fragments and found not in self._uses and found not in self._absent:
                waiting += self._resolve(found)

    def unit(self, remark: str = "") -> Unit:
        parts = [_FUTURE] if self._future else []
        if self._imports:
            parts.append("\n".join(sorted(self._imports)))
        parts += [fragment.text.rstrip() for fragment in in_order(self._fragments)]
        if remark:
            parts.append(remark)
        text = "\n\n".join(parts) + "\n"
        return Unit(text, self._uses, self._lost, tuple(self._absent), tuple(self._activities))

    # -- one name --------------------------------------------------------------------------------------------------

    def _resolve(self, name: str) -> list[str]:
        """Take in what a name is bound to; gives the names that this refers to."""
        if name not in self._namespace:
            if not hasattr(builtins, name):
                self._absent[name] = None
            return []
        if name.startswith("__") and name.endswith("__"):
            return []
        statement = self._statements.find(name)
        if statement is None and hasattr(builtins, name):
            return []  # IPython puts an ``open`` of its own into the namespace
        value = self._uses[name] = self._namespace[name]
        if self._import(name, value, statement):
            return []
        if isinstance(value, _DEFINITIONS):
            text = self._own_source(name, value)
            if text:
                self._future = self._future or _has_future(value)
                return self._add(name, text)
        return self._constant(name, value, statement)

    def _import(self, name: str, value: Any, statement: Statement | None) -> bool:
        written = statement is not None and isinstance(statement.node, ast.Import | ast.ImportFrom)
        importable = isinstance(value, ModuleType) or (
            isinstance(value, _DEFINITIONS) and getattr(value, "__module__", "") != self._module
        )
        if not (written or importable or isinstance(value, BuiltinFunctionType)):
            return False
        line = import_line(name, value, statement.node if statement else None, self._package)
        if not line:
            return False
        self._imports[line] = None
        if isinstance(value, ModuleType):
            attributes = frozenset(each for f in self._fragments.values() for each in f.references.attributes)
            self._imports |= dict.fromkeys(submodule_lines(name, value, attributes))
        return True

    def _own_source(self, name: str, value: Any) -> str:
        """Source of a function or class that was written in this namespace under this name; "" otherwise."""
        if "<locals>" in getattr(value, "__qualname__", "<locals>"):
            return ""
        try:
            located = locate(value)
        except DefinitionSourceError:
            return self._plain_class(name, value)
        if located.node.name != name:
            return ""
        kind = _kind(value)
        if not self._stubs and kind == "activity":
            return located.text
        if isinstance(value, type):
            if kind == "workflow" and name not in self._whole:
                return class_stub(located.text, only_activities=False)
            return class_stub(located.text, only_activities=True) if self._stubs else located.text
        if kind == "activity":
            definition = getattr(value, ACTIVITY_ATTRIBUTE)
            self._activities[definition.name or ""] = None
        return function_stub(located.text) if kind else located.text

    def _plain_class(self, name: str, value: Any) -> str:
        """A class without a function of its own (an Enum, a TypedDict, most dataclasses), by the statement."""
        statement = self._statements.find(name)
        if isinstance(value, type) and statement is not None and isinstance(statement.node, ast.ClassDef):
            return statement.text
        return ""

    def _constant(self, name: str, value: Any, statement: Statement | None) -> list[str]:
        if statement is not None and type(statement.node).__name__ == "TypeAlias":  # ``type X = …``
            return self._add(name, statement.text)
        expression = _assigned(statement)
        reason = "no statement at the top level of a cell assigns it"
        if expression is not None and statement is not None:
            reason = self._why_not(name, expression, value)
            if not reason:
                return self._add(name, statement.text)
        text = literal(value)
        if text is not None:
            return self._add(name, f"{name} = {text}\n")
        made = f", made by {_shown(expression)}" if expression is not None else ""
        self._lost[name] = f"{type(value).__qualname__}{made}: {reason}"
        return self._add(name, f"# {name}: {type(value).__qualname__}, which cannot be made again from source\n")

    def _why_not(self, name: str, expression: ast.expr, value: Any) -> str:
        """Why the statement that assigned a constant does not make it again; "" where it does."""
        try:
            written = ast.literal_eval(expression)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            if any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(expression)):
                return "its statement builds on its former value"
            if self._is_of_former_class(value):
                return FORMER_CLASS
            return obstacle(expression, self._namespace, value)
        same = type(written) is type(value) and (not is_immutable(value) or written == value)
        return "" if same else "it was changed since"

    def _is_of_former_class(self, value: Any) -> bool:
        """Whether the class of an instance was edited since it was made."""
        cls = type(value)
        now = self._namespace.get(cls.__name__)
        if now is cls or not isinstance(now, type) or cls.__module__ != self._module:
            return False
        try:
            return locate(cls).text != locate(now).text
        except DefinitionSourceError:
            return False

    def _add(self, name: str, text: str) -> list[str]:
        found = references(text, annotations_later=self._future)
        self._fragments[name] = Fragment(name, text, found)
        self._note_bases(text)
        if found.attributes:
            self._reach_submodules(found)
        return [*found.at_once, *found.later]

    def _note_bases(self, text: str) -> None:
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                self._whole |= {base.id for base in node.bases if isinstance(base, ast.Name)}

    def _reach_submodules(self, found: References) -> None:
        for name, value in self._uses.items():
            if isinstance(value, ModuleType):
                self._imports |= dict.fromkeys(submodule_lines(name, value, found.attributes))


def _assigned(statement: Statement | None) -> ast.expr | None:
    """The right side of ``name = …``, where the statement is nothing but that."""
    if statement is None or statement.repeated:
        return None
    node = statement.node
    if isinstance(node, ast.Assign):
        return node.value if all(isinstance(target, ast.Name) for target in node.targets) else None
    return node.value if isinstance(node, ast.AnnAssign) else None


def _shown(expression: ast.expr) -> str:
    text = " ".join(ast.unparse(expression).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _kind(value: Any) -> str:
    own = vars(value)
    if ACTIVITY_ATTRIBUTE in own:
        return "activity"
    return "workflow" if WORKFLOW_ATTRIBUTE in own else ""


def _has_future(definition: Any) -> bool:
    functions = vars(definition).values() if isinstance(definition, type) else (definition,)
    return any(_flags(function) & _FUTURE_FLAG for function in functions)


def _flags(function: Any) -> int:
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return code.co_flags if code is not None else 0
