"""Decorators of workflow classes, run and init methods (temporal-semantics 2.10, definition rules)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, overload

from durable_nb.policies import VersioningBehavior
from durable_nb.runtime import definition as _definition
from durable_nb.runtime.definition import DynamicWorkflowConfig
from durable_nb.workflow._typing import CallableAsyncType, CallableType, ClassType, MethodSyncNoParam, SelfType

_Function = TypeVar("_Function", bound=Callable[..., Awaitable[Any]])


@overload
def defn(cls: ClassType) -> ClassType: ...


@overload
def defn(cls: _Function) -> _Function: ...


@overload
def defn(
    *,
    name: str | None = None,
    sandboxed: bool = True,
    failure_exception_types: Sequence[type[BaseException]] = [],
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> Callable[[ClassType], ClassType]: ...


@overload
def defn(
    *,
    sandboxed: bool = True,
    dynamic: bool = False,
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> Callable[[ClassType], ClassType]: ...


def defn(
    cls: Any = None,
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = [],
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> Any:
    """Make a class, or a plain ``async def`` function, a workflow.

    Parameters
    ----------
    cls
        A class with one ``@workflow.run`` method, or an async function at the top level of a cell or module. The
        function stays callable as one.
    name
        Workflow type; the name of the class or function by default.
    sandboxed
        False lifts the guards against clock, randomness and I/O for this workflow.
    dynamic
        Take runs of all types that have no workflow of their own; the run method takes one ``Sequence[RawValue]``.
    failure_exception_types
        Exceptions that fail the workflow. By default only failures of ``durable_nb.exceptions`` do; others fail the
        workflow task, which is tried again until the code is mended.
    versioning_behavior
        Accepted and ignored.

    Raises
    ------
    ValueError
        The class breaks a definition rule; the message lists all problems.
    TypeError
        Neither a class nor an async function.
    """

    def decorate(target: Any) -> Any:
        return _definition.define_workflow(
            target,
            name=name,
            sandboxed=sandboxed,
            dynamic=dynamic,
            failure_exception_types=failure_exception_types,
            versioning_behavior=versioning_behavior,
        )

    return decorate if cls is None else decorate(cls)


def init(init_fn: CallableType) -> CallableType:
    """Give ``__init__`` the workflow's arguments; its parameters must be those of the run method.

    Raises
    ------
    ValueError
        Not on ``__init__``.
    """
    return _definition.mark_init(init_fn)  # type: ignore[no-any-return]


def run(fn: CallableAsyncType) -> CallableAsyncType:
    """Mark the method that is the workflow: ``async def``, one per class, written in that very class.

    Raises
    ------
    ValueError
        Not async, or on a class inside a function.
    """
    return _definition.mark_run(fn)  # type: ignore[no-any-return]


def dynamic_config(
    fn: MethodSyncNoParam[SelfType, DynamicWorkflowConfig],
) -> MethodSyncNoParam[SelfType, DynamicWorkflowConfig]:
    """Mark the method of a dynamic workflow that settles its options, once it knows which type it stands for.

    Raises
    ------
    ValueError
        Async, or with parameters beside ``self``.
    """
    return _definition.mark_dynamic_config(fn)  # type: ignore[no-any-return]
