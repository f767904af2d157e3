"""Which definitions this notebook has: made in cells, or imported by them.

The rule: every workflow and activity that is decorated at the top level of *any* cell after ``%load_ext``, or that
the namespace or a module in it holds at the end of a cell, is registered on the notebook's own worker, and its source
is stored with what it uses (``units``); a later definition of the same name is another version (``definitions``).
``%%workflow`` adds the lint (with ``--strict``: refusal) and the line that says what was registered. A definition
counts when its statement has run, just like its name in the namespace; a cell with a syntax error runs nothing and so
changes nothing. An activity that is a method, or a class whose instances are called, is registered once the namespace
holds an instance of its class; what is stored is then the statement that made the instance, with the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, Protocol

from durable_nb.errors import AuthoringError, DurableError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.lint import Finding, Source, lint_definition
from durable_nb.notebook.names import FunctionNode
from durable_nb.notebook.sources import Located, locate, locate_line
from durable_nb.notebook.units.closure import Unit

WORKFLOW_ATTRIBUTE = "__temporal_workflow_definition"
ACTIVITY_ATTRIBUTE = "__temporal_activity_definition"


class Registrar(Protocol):
    """Takes definitions into service; the notebook's worker behind an adapter (``session``)."""

    def unit_of(self, definition: Any, located: Located, kind: str) -> Unit | None: ...
    def unit_of_bound(self, activity: Any, bound_as: str) -> tuple[Unit, str] | None: ...
    def add_workflow(self, definition: Any, name: str, digest: str, unit: Unit | None) -> None: ...
    def add_activity(self, definition: Any) -> None: ...
    def store(self, rows: list[DefinitionRow]) -> None: ...


class Captured(NamedTuple):
    """A definition in service. ``name`` is its type name, ``""`` for a dynamic one."""

    kind: str
    name: str
    definition: Any
    digest: str
    origin: str


def kind_of(value: Any) -> tuple[str, str] | None:
    """``("workflow", type name)`` or ``("activity", type name)``; None for anything that is not decorated."""
    own = value.__dict__ if isinstance(value, type | FunctionType) else {}
    for kind, attribute in (("workflow", WORKFLOW_ATTRIBUTE), ("activity", ACTIVITY_ATTRIBUTE)):
        found = own.get(attribute)
        if found is None or (kind == "activity" and isinstance(value, type)):
            continue  # an activity class is nothing yet, its instances are activities
        if kind == "workflow" and value not in (found.cls or found.run_fn,):
            continue  # the run method of a workflow class
        return kind, found.name or ""
    return None


def activities_of(instance: Any) -> list[Any]:
    """Bound methods of an instance that are activities, or the instance itself where its class is one."""
    cls = type(instance)
    if cls.__module__ == "builtins" or isinstance(instance, type | FunctionType | ModuleType):
        return []
    found = [] if ACTIVITY_ATTRIBUTE not in vars(cls) else [instance]
    for base in cls.__mro__[:-1]:
        for name, member in vars(base).items():
            own = isinstance(member, FunctionType) and ACTIVITY_ATTRIBUTE in vars(member)
            if own and name != "__call__" and getattr(cls, name, None) is member:
                found.append(getattr(instance, name))
    return found


def definitions_in(value: Any) -> list[tuple[str, str, Any]]:
    """What a value defines: kind, type name and definition; several for an instance with several activities."""
    kind = kind_of(value)
    if kind is not None:
        return [(*kind, value)]
    return [("activity", getattr(each, ACTIVITY_ATTRIBUTE).name or "", each) for each in activities_of(value)]


def activity_types_of(values: Iterable[Any]) -> list[str]:
    """Types of the activities that code can name by these functions and classes, methods of the classes included."""
    found: dict[str, None] = {}
    for value in values:
        members = [member for base in value.__mro__[:-1] for member in vars(base).values()] if _is_class(value) else []
        for each in (value, *members):
            definition = vars(each).get(ACTIVITY_ATTRIBUTE) if isinstance(each, type | FunctionType) else None
            if definition is not None and definition.name:
                found[definition.name] = None
    return list(found)


def _is_class(value: Any) -> bool:
    return isinstance(value, type) and value.__module__ != "builtins"


class Capture:
    """The definitions of a notebook.

    Parameters
    ----------
    registrar
        Where definitions go.
    namespace
        The user's namespace.
    cell_of
        Name of the cell for a file name of compiled code (``cell [3]``), "" for other files.
    document
        Name of the notebook (``orders.ipynb``), "" when unknown.
    now
        Microseconds since the epoch.
    """

    def __init__(
        self,
        registrar: Registrar,
        namespace: Mapping[str, Any],
        *,
        cell_of: Callable[[str], str],
        document: Callable[[], str],
        now: Callable[[], int],
    ) -> None:
        self._registrar = registrar
        self._namespace = namespace
        self._cell_of = cell_of
        self._document = document
        self._now = now
        self._seen: dict[str, int] = {}
        self._objects: dict[int, Any] = {}
        self.known: dict[tuple[str, str], Captured] = {}
        self.fresh: list[Captured] = []
        """Registered since the last ``take_fresh``."""
        self.findings: list[Finding] = []
        self._problems: list[tuple[str, Exception]] = []
        self.lints = False
        self.strict = False

    # -- cells -----------------------------------------------------------------------------------------------------

    def made(self, definition: Any, filename: str, first_line: int) -> None:
        """A decorated statement of a cell has just run.

        Raises
        ------
        AuthoringError
            DNB100: the cell is ``--strict`` and the lint found something; nothing was registered.
        """
        kind = kind_of(definition)
        if kind is None or _is_method(definition):
            return
        located = locate_line(filename, definition.__name__, first_line)
        if located is not None and self.lints and kind[0] == "workflow":
            found = lint_definition(located.node, self._source(located))
            if found and self.strict:
                raise _refusal(kind[1] or definition.__name__, found)
            self.findings += found
        self._register(definition, kind, located)

    def scan(self) -> None:
        """Take in what the namespace holds and no mark told of: imports, instances, definitions of before."""
        for name, value in list(self._namespace.items()):
            if name.startswith("_") or (self._seen.get(name) == id(value) and not isinstance(value, ModuleType)):
                continue
            self._seen[name] = id(value)
            if isinstance(value, ModuleType):
                self._scan_module(value)
            else:
                self._take(name, value)

    def _scan_module(self, module: ModuleType) -> None:
        if module.__name__.split(".", 1)[0] in _LIBRARY:
            return
        for name, value in list(vars(module).items()):
            if isinstance(value, type | FunctionType) and value.__module__ == module.__name__:
                self._take(f"{module.__name__}.{name}", value)

    def _take(self, name: str, value: Any) -> None:
        """``_consider`` for values that nobody asked to register: what is wrong with one must not stop the others."""
        try:
            self._consider(name, value)
        except Exception as problem:  # told under the cell
            self._objects[id(value)] = value
            self._problems.append((name, problem))

    def _consider(self, name: str, value: Any) -> None:
        kind = kind_of(value)
        if kind is None:
            for activity in activities_of(value):
                self._consider_bound(name, activity)
        elif id(value) not in self._objects and not _is_method(value):
            try:
                located = locate(value)
            except DurableError:
                located = None
            self._register(value, kind, located)

    def _consider_bound(self, name: str, activity: Any) -> None:
        """An activity that an instance bound to ``name`` has."""
        definition = getattr(activity, ACTIVITY_ATTRIBUTE)
        key = ("activity", definition.name or "")
        known = self.known.get(key)
        if known is not None and getattr(known.definition, "__self__", known.definition) is getattr(
            activity, "__self__", activity
        ):
            return
        self._registrar.add_activity(activity)
        unit, cell = self._registrar.unit_of_bound(activity, name) or (None, "")
        origin = self._named(cell) if cell else str(getattr(activity, "__module__", ""))
        self._keep(Captured(*key, activity, unit.digest if unit is not None else "", origin))
        if unit is not None:
            self._registrar.store([DefinitionRow(unit.digest, key[1], key[0], unit.text, origin, self._now())])

    def _register(self, definition: Any, kind: tuple[str, str], located: Located | None) -> None:
        unit = self._registrar.unit_of(definition, located, kind[0]) if located is not None else None
        digest = unit.digest if unit is not None else located.digest if located is not None else ""
        if kind[0] == "workflow":
            self._registrar.add_workflow(definition, kind[1], digest, unit)
        else:
            self._registrar.add_activity(definition)
        self._objects[id(definition)] = definition  # held, so that no other object gets its id
        origin = self._origin(located, definition)
        self._keep(Captured(kind[0], kind[1], definition, digest, origin))
        if located is not None:
            text = located.text if unit is None else unit.text
            self._registrar.store([DefinitionRow(digest, kind[1], kind[0], text, origin, self._now())])

    def _keep(self, captured: Captured) -> None:
        self.known[captured.kind, captured.name] = captured
        self.fresh.append(captured)

    def take_fresh(self) -> tuple[list[Captured], list[Finding]]:
        """What was registered and found since the last call; both start empty again."""
        fresh, findings = self.fresh, self.findings
        self.fresh, self.findings = [], []
        return fresh, findings

    def take_problems(self) -> list[tuple[str, Exception]]:
        """Names and errors of what could not be registered since the last call."""
        found, self._problems = self._problems, []
        return found

    # -- places ----------------------------------------------------------------------------------------------------

    def _origin(self, located: Located | None, definition: Any) -> str:
        if located is None:
            return str(getattr(definition, "__module__", ""))
        cell = self._cell_of(located.filename)
        return self._named(cell) if cell else f"{located.filename}, line {located.first_line}"

    def _named(self, cell: str) -> str:
        document = self._document()
        return f"{document} {cell}" if document else cell

    def _source(self, located: Located) -> Source:
        return Source(located.tree, located.lines, self._namespace, "", self._find_helper)

    def _find_helper(self, function: FunctionType) -> tuple[FunctionNode, Source] | None:
        try:
            located = locate(function)
        except DurableError:
            return None
        if not isinstance(located.node, FunctionNode):
            return None
        label = self._cell_of(located.filename) or located.filename
        return located.node, self._source(located)._replace(label=label)


_LIBRARY = frozenset({"durable_nb", "temporalio"})
"""Packages whose modules hold no definitions of the user."""


def _is_method(definition: Any) -> bool:
    """Whether an activity is a plain function of a class body, which cannot run without an instance."""
    return bool(getattr(getattr(definition, ACTIVITY_ATTRIBUTE, None), "is_method", False))


def _refusal(name: str, found: list[Finding]) -> AuthoringError:
    lines = "\n".join(f"  {line}" for finding in found for line in str(finding).splitlines())
    return AuthoringError(
        f"{name} was not registered: --strict refuses what breaks replay\n{lines}",
        fix="change these lines, accept them by # noqa: CODE, or leave out --strict",
    )
