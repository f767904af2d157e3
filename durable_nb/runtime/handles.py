"""Handles and enums that workflow code holds: activities, children, other workflows.

The classes say what users may do; the runtime's own subclasses do it (``activities``, ``children``, ``external``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

SelfType = TypeVar("SelfType")
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
MultiParamSpec = ParamSpec("MultiParamSpec")


class ArgUnset:
    """Type of the marker for "no argument given"; None is an argument."""

    def __repr__(self) -> str:
        return "<unset>"


arg_unset: Any = ArgUnset()

if TYPE_CHECKING:
    from typing import Protocol

    _Self = TypeVar("_Self", contravariant=True)
    _Param = TypeVar("_Param", contravariant=True)

    class SignalNoParam(Protocol[_Self]):
        """``def f(self)``, async or not, that returns nothing."""

        def __call__(self, obj: _Self, /) -> Awaitable[None] | None: ...

    class SignalSingleParam(Protocol[_Self, _Param]):
        """``def f(self, arg)``, async or not, that returns nothing."""

        def __call__(self, obj: _Self, arg: _Param, /) -> Awaitable[None] | None: ...

    class AsyncioTask(asyncio.Task[ReturnType]):
        pass

else:

    class AsyncioTask(asyncio.Task, Generic[ReturnType]):
        __slots__ = ()


class ActivityHandle(AsyncioTask[ReturnType]):
    """A running activity: an ``asyncio.Task`` whose result is the activity's."""

    __slots__ = ()


class ActivityCancellationType(IntEnum):
    """What cancelling the await of an activity does (temporal-semantics 3.2)."""

    TRY_CANCEL = 0
    """Ask the activity to stop and raise at once."""

    WAIT_CANCELLATION_COMPLETED = 1
    """Ask the activity to stop and wait for what becomes of it, which may be a normal result."""

    ABANDON = 2
    """Raise at once and let the activity run."""


class ChildWorkflowCancellationType(IntEnum):
    """What cancelling the await of a child workflow does (temporal-semantics 3.8)."""

    ABANDON = 0
    """Raise at once and let the child run."""

    TRY_CANCEL = 1
    """Ask the child to stop and raise at once."""

    WAIT_CANCELLATION_COMPLETED = 2
    """Ask the child to stop and wait for what becomes of it."""

    WAIT_CANCELLATION_REQUESTED = 3
    """As WAIT_CANCELLATION_COMPLETED: that is what Temporal's own runtime does with it."""


class VersioningIntent(Enum):
    """Accepted and ignored: worker versioning is a matter of clusters."""

    COMPATIBLE = 1
    DEFAULT = 2


class ContinueAsNewVersioningBehavior(IntEnum):
    """Accepted and ignored: worker versioning is a matter of clusters."""

    UNSPECIFIED = 0
    AUTO_UPGRADE = 1
    USE_RAMPING_VERSION = 2


class SignalTarget(Generic[SelfType]):
    """Another workflow, as far as it can be signalled."""

    __slots__ = ()

    @overload
    async def signal(self, signal: SignalNoParam[SelfType], *, event_groups: Any = None) -> None: ...

    @overload
    async def signal(
        self, signal: SignalSingleParam[SelfType, ParamType], arg: ParamType, *, event_groups: Any = None
    ) -> None: ...

    @overload
    async def signal(
        self,
        signal: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[None] | None],
        *,
        args: Sequence[Any],
        event_groups: Any = None,
    ) -> None: ...

    @overload
    async def signal(
        self, signal: str, arg: Any = ..., *, args: Sequence[Any] = ..., event_groups: Any = None
    ) -> None: ...

    async def signal(
        self, signal: Any, arg: Any = arg_unset, *, args: Sequence[Any] = [], event_groups: Any = None
    ) -> None:
        """Send a signal; returns once it is delivered.

        Raises
        ------
        ApplicationError
            There is no such workflow, or no more.
        """
        raise NotImplementedError


class ChildWorkflowHandle(AsyncioTask[ReturnType], SignalTarget[SelfType], Generic[SelfType, ReturnType]):
    """A started child workflow: an ``asyncio.Task`` whose result is the child's."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Workflow ID of the child."""
        raise NotImplementedError

    @property
    def first_execution_run_id(self) -> str | None:
        """Run ID of the child's first run."""
        raise NotImplementedError


class ExternalWorkflowHandle(SignalTarget[SelfType]):
    """Another workflow, known by its ID."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Workflow ID."""
        raise NotImplementedError

    @property
    def run_id(self) -> str | None:
        """Run ID; None means the current run of the workflow ID."""
        raise NotImplementedError

    async def cancel(self, *, reason: str = "", event_groups: Any = None) -> None:
        """Request cancellation; returns once the request is recorded there.

        Raises
        ------
        ApplicationError
            There is no such workflow.
        """
        raise NotImplementedError


def arguments(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """Arguments of a call given as ``arg`` or as ``args=[…]``.

    Raises
    ------
    ValueError
        Both were given.
    """
    if arg is arg_unset:
        return args
    if args:
        raise ValueError("Cannot have arg and args")
    return (arg,)
