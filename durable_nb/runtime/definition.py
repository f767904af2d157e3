"""``@workflow.defn`` and its companions: from a class or function to a checked workflow definition.

All that a run needs to know about its code is found here once. ``WorkflowDefinition.from_class`` and ``from_run``
read what the decorators left on a class and on its run method. Source: temporal-semantics 2.10, definition rules.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.policies import VersioningBehavior
from durable_nb.runtime.handlers import (
    QUERY_ATTRIBUTE,
    SIGNAL_ATTRIBUTE,
    UPDATE_ATTRIBUTE,
    QueryDefinition,
    SignalDefinition,
    UpdateDefinition,
    is_raw_sequence,
)
from durable_nb.runtime.hints import same_parameters, type_hints

ATTRIBUTE = "__temporal_workflow_definition"
RUN_ATTRIBUTE = "__temporal_workflow_run"
INIT_ATTRIBUTE = "__temporal_workflow_init"
CONFIG_ATTRIBUTE = "__temporal_workflow_dynamic_config"


class DynamicWorkflowConfig(FrozenDataclassLike, frozen=True):
    """What a ``@workflow.dynamic_config`` method returns; fields that are set win over those of ``defn``."""

    failure_exception_types: Sequence[type[BaseException]] | None = None
    """Exceptions that fail the workflow instead of the workflow task."""

    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED
    """Accepted and ignored."""


class WorkflowDefinition:
    """Everything known about one workflow type.

    Attributes
    ----------
    name
        Workflow type; None for a dynamic workflow.
    cls
        The class, or None for a workflow that is a plain ``async def`` function.
    run_fn
        The run method (unbound), or that function.
    signals, queries, updates
        Handlers by name; the key None holds the dynamic one.
    takes_init
        Whether ``__init__`` takes the workflow's arguments (``@workflow.init``).
    """

    __slots__ = (
        "_hints",
        "cls",
        "dynamic_config_fn",
        "failure_exception_types",
        "name",
        "queries",
        "run_fn",
        "sandboxed",
        "signals",
        "takes_init",
        "updates",
        "versioning_behavior",
    )

    def __init__(
        self,
        name: str | None,
        cls: type | None,
        run_fn: Callable[..., Awaitable[Any]],
        *,
        signals: Mapping[str | None, SignalDefinition] | None = None,
        queries: Mapping[str | None, QueryDefinition] | None = None,
        updates: Mapping[str | None, UpdateDefinition] | None = None,
        sandboxed: bool = True,
        failure_exception_types: Sequence[type[BaseException]] = (),
        versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
        dynamic_config_fn: Callable[..., DynamicWorkflowConfig] | None = None,
        takes_init: bool = False,
    ) -> None:
        self.name = name
        self.cls = cls
        self.run_fn = run_fn
        self.signals = signals or {}
        self.queries = queries or {}
        self.updates = updates or {}
        self.sandboxed = sandboxed
        self.failure_exception_types = tuple(failure_exception_types)
        self.versioning_behavior = versioning_behavior
        self.dynamic_config_fn = dynamic_config_fn
        self.takes_init = takes_init
        self._hints: tuple[list[Any] | None, Any] | None = None
        if name is None and not ((hints := self.arg_types) and len(hints) == 1 and is_raw_sequence(hints[0])):
            raise TypeError("Dynamic workflow must accept a single Sequence[durable_nb.common.RawValue]")

    @property
    def arg_types(self) -> list[Any] | None:
        """Hint of each parameter of the run method; None where they cannot be counted."""
        return (self._hints or self._read_hints())[0]

    @property
    def ret_type(self) -> Any:
        """Hint of the result."""
        return (self._hints or self._read_hints())[1]

    @property
    def label(self) -> str:
        """The definition as messages name it."""
        return self.run_fn.__qualname__ if self.cls is None else self.cls.__qualname__

    def _read_hints(self) -> tuple[list[Any] | None, Any]:
        self._hints = type_hints(self.run_fn, f"workflow {self.name or '(dynamic)'}")
        return self._hints

    @staticmethod
    def from_class(workflow: Any) -> WorkflowDefinition | None:
        """Definition of a decorated class or function; None where it is not decorated itself."""
        found = getattr(workflow, ATTRIBUTE, None)
        if isinstance(found, WorkflowDefinition) and (found.cls is workflow or found.run_fn is workflow):
            return found
        return None

    @staticmethod
    def must_from_class(workflow: Any) -> WorkflowDefinition:
        """Like ``from_class``.

        Raises
        ------
        ValueError
            It is not decorated.
        """
        found = WorkflowDefinition.from_class(workflow)
        if found is None:
            name = getattr(workflow, "__name__", "<unknown>")
            raise ValueError(f"Workflow {name} missing attributes, was it decorated with @workflow.defn?")
        return found

    @staticmethod
    def from_run(fn: Any) -> WorkflowDefinition:
        """Definition behind a run method, a function workflow or a workflow class.

        Raises
        ------
        ValueError
            It is none of these.
        """
        found = getattr(fn, ATTRIBUTE, None)
        if not isinstance(found, WorkflowDefinition):
            name = getattr(fn, "__qualname__", "<unknown>")
            raise ValueError(
                f"Function {name} missing attributes, was it decorated with @workflow.run and was its class decorated "
                f"with @workflow.defn?"
            )
        return found


# -- decorators ----------------------------------------------------------------------------------------------------


def define_workflow(
    target: Any,
    *,
    name: str | None,
    sandboxed: bool,
    dynamic: bool,
    failure_exception_types: Sequence[type[BaseException]],
    versioning_behavior: VersioningBehavior,
) -> Any:
    """What ``@workflow.defn`` does; returns ``target`` itself.

    Raises
    ------
    ValueError
        The class breaks one of the definition rules; the message lists all of them.
    TypeError
        Neither a class nor an ``async def`` function, or a dynamic workflow with other parameters.
    """
    if WorkflowDefinition.from_class(target) is not None:
        raise ValueError("Class already contains workflow definition")
    if name is not None and dynamic:
        raise ValueError("a dynamic workflow cannot have a name: leave out name= or dynamic=")
    found = _Found(target)
    if inspect.isclass(target):
        run_fn = found.collect(None if dynamic else name or target.__name__)
    else:
        run_fn = _check_function(target)
    definition = WorkflowDefinition(
        None if dynamic else name or target.__name__,
        target if inspect.isclass(target) else None,
        run_fn,
        signals=found.signals,
        queries=found.queries,
        updates=found.updates,
        sandboxed=sandboxed,
        failure_exception_types=failure_exception_types,
        versioning_behavior=versioning_behavior,
        dynamic_config_fn=found.dynamic_config_fn,
        takes_init=found.init_fn is not None,
    )
    setattr(target, ATTRIBUTE, definition)
    setattr(definition.run_fn, ATTRIBUTE, definition)
    return target


def mark_run(fn: Any) -> Any:
    """What ``@workflow.run`` does."""
    if not inspect.iscoroutinefunction(fn):
        raise ValueError("Workflow run method must be an async function")
    if "<locals>" in fn.__qualname__:
        raise ValueError(
            "Local classes unsupported, @workflow.run cannot be on a local class: after a restart it could not be "
            "found; move the class to the top level of the cell or module"
        )
    setattr(fn, RUN_ATTRIBUTE, True)
    return fn


def mark_init(fn: Any) -> Any:
    """What ``@workflow.init`` does."""
    if fn.__name__ != "__init__":
        raise ValueError("@workflow.init may only be used on the __init__ method")
    setattr(fn, INIT_ATTRIBUTE, True)
    return fn


def mark_dynamic_config(fn: Any) -> Any:
    """What ``@workflow.dynamic_config`` does."""
    if inspect.iscoroutinefunction(fn):
        raise ValueError("Workflow dynamic_config method must be synchronous")
    if len(inspect.signature(fn).parameters) != 1:
        raise ValueError("Workflow dynamic_config method must only take self parameter")
    setattr(fn, CONFIG_ATTRIBUTE, True)
    return fn


def _check_function(fn: Any) -> Callable[..., Awaitable[Any]]:
    if not inspect.iscoroutinefunction(fn):
        what = getattr(fn, "__qualname__", repr(fn))
        raise TypeError(
            f"@workflow.defn is for classes and for async functions, but {what} is neither: write async def"
        )
    if "<locals>" in fn.__qualname__:
        raise ValueError(
            f"Local functions unsupported, {fn.__qualname__} cannot be a workflow: after a restart it could not be "
            f"found; move it to the top level of the cell or module"
        )
    return fn  # type: ignore[no-any-return]


class _Found:
    """What the decorators left on a class, and what is wrong with it."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.issues: list[str] = []
        self.run_fn: Callable[..., Awaitable[Any]] | None = None
        self.init_fn: Callable[..., None] | None = None
        self.dynamic_config_fn: Callable[..., DynamicWorkflowConfig] | None = None
        self.run_seen = False
        self.signals: dict[str | None, SignalDefinition] = {}
        self.queries: dict[str | None, QueryDefinition] = {}
        self.updates: dict[str | None, UpdateDefinition] = {}

    def collect(self, workflow_name: str | None) -> Callable[..., Awaitable[Any]]:
        """Look at all members of the class and its bases; the run method."""
        for name, member in inspect.getmembers(self.cls):
            if not callable(member):
                continue
            if hasattr(member, RUN_ATTRIBUTE):
                self._run(name, member)
            elif hasattr(member, SIGNAL_ATTRIBUTE):
                self._handler(self.signals, getattr(member, SIGNAL_ATTRIBUTE), name)
            elif hasattr(member, QUERY_ATTRIBUTE):
                self._handler(self.queries, getattr(member, QUERY_ATTRIBUTE), name)
            elif name == "__init__" and hasattr(member, INIT_ATTRIBUTE):
                self.init_fn = member
            elif hasattr(member, CONFIG_ATTRIBUTE):
                self._dynamic_config(member, workflow_name)
            elif isinstance(update := getattr(member, UPDATE_ATTRIBUTE, None), UpdateDefinition):
                self._update(update, name)
        for base in inspect.getmro(self.cls)[1:]:
            self._check_overrides(base)
        if not self.run_seen:
            self.issues.append("Missing @workflow.run method")
        if self.init_fn and self.run_fn and not same_parameters(self.init_fn, self.run_fn):
            self.issues.append("@workflow.init and @workflow.run method parameters do not match")
        if len(self.issues) == 1:
            raise ValueError(f"Invalid workflow class: {self.issues[0]}")
        if self.issues or self.run_fn is None:
            raise ValueError(f"Invalid workflow class for {len(self.issues)} reasons: {', '.join(self.issues)}")
        return self.run_fn

    def _run(self, name: str, member: Any) -> None:
        self.run_seen = True
        if not _defined_on(member, self.cls):
            self.issues.append(f"@workflow.run method {name} must be defined on {self.cls.__qualname__}")
        elif self.run_fn is not None:
            self.issues.append(f"Multiple @workflow.run methods found (at least on {name} and {self.run_fn.__name__})")
        else:
            self.run_fn = member

    def _handler(self, known: dict[str | None, Any], definition: Any, name: str) -> bool:
        other = known.get(definition.name)
        if other is None:
            known[definition.name] = definition
            return True
        self.issues.append(
            f"Multiple {definition.kind} methods found for {definition.name or '<dynamic>'} "
            f"(at least on {name} and {other.fn.__name__})"
        )
        return False

    def _update(self, definition: UpdateDefinition, name: str) -> None:
        if not self._handler(self.updates, definition, name) or definition.validator is None:
            return
        if not same_parameters(definition.fn, definition.validator):
            self.issues.append(
                f"Update validator method {definition.validator.__name__} parameters "
                f"do not match update method {definition.fn.__name__} parameters"
            )

    def _dynamic_config(self, member: Any, workflow_name: str | None) -> None:
        if workflow_name:
            self.issues.append(
                "@workflow.dynamic_config can only be used in dynamic workflows, but "
                f"workflow class {workflow_name} ({self.cls.__name__}) is not dynamic"
            )
        if self.dynamic_config_fn:
            self.issues.append("@workflow.dynamic_config can only be defined once per workflow")
        self.dynamic_config_fn = member

    def _check_overrides(self, base: type) -> None:
        for member in _own_functions(base):
            where = member.__qualname__
            if hasattr(member, RUN_ATTRIBUTE):
                self.run_seen = True
                if not self.run_fn or member.__name__ != self.run_fn.__name__:
                    self.issues.append(f"@workflow.run defined on {where} but not on the override")
                continue
            for attribute, known in (
                (SIGNAL_ATTRIBUTE, self.signals),
                (QUERY_ATTRIBUTE, self.queries),
                (UPDATE_ATTRIBUTE, self.updates),
            ):
                definition = getattr(member, attribute, None)
                if definition is not None and definition.name not in known:
                    self.issues.append(f"@workflow.{definition.kind} defined on {where} but not on the override")


def _own_functions(cls: type) -> Iterator[Any]:
    return (member for member in vars(cls).values() if inspect.isfunction(member) and _defined_on(member, cls))


def _defined_on(fn: Any, cls: type) -> bool:
    """Whether a function was written in the body of this very class."""
    return (
        inspect.isfunction(fn)
        and fn.__module__ == cls.__module__
        and fn.__qualname__.rpartition(".")[0] == cls.__qualname__
    )
