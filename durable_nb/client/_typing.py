"""Types that let checkers connect a workflow's methods with what a call returns; nothing here has behaviour.

Keyword options that several verbs share are TypedDicts, used as ``**options: Unpack[…]`` in overloads only. The
implementations spell every keyword out, so that ``inspect.signature`` and completion show them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypedDict, TypeVar

if TYPE_CHECKING:
    from typing import Required

    from durable_nb.common import (
        Priority,
        QueryRejectCondition,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
        WorkflowIDConflictPolicy,
        WorkflowIDReusePolicy,
    )

AnyType = TypeVar("AnyType")
SelfType = TypeVar("SelfType")
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
LocalReturnType = TypeVar("LocalReturnType", covariant=True)
MultiParamSpec = ParamSpec("MultiParamSpec")

_Self = TypeVar("_Self", contravariant=True)
_Param = TypeVar("_Param", contravariant=True)
_Return = TypeVar("_Return", covariant=True)


# Nobody needs these when the program runs, and protocols and typed dicts are slow to make.
if TYPE_CHECKING:

    class FunctionAsyncNoParam(Protocol[_Return]):
        """``async def f() -> R``: a workflow that is a function."""

        def __call__(self) -> Awaitable[_Return]: ...

    class FunctionAsyncSingleParam(Protocol[_Param, _Return]):
        """``async def f(arg) -> R``: a workflow that is a function."""

        def __call__(self, arg: _Param, /) -> Awaitable[_Return]: ...

    class MethodAsyncNoParam(Protocol[_Self, _Return]):
        """``async def run(self) -> R``."""

        def __call__(self, obj: _Self, /) -> Awaitable[_Return]: ...

    class MethodAsyncSingleParam(Protocol[_Self, _Param, _Return]):
        """``async def run(self, arg) -> R``."""

        def __call__(self, obj: _Self, arg: _Param, /) -> Awaitable[_Return]: ...

    class MethodSyncOrAsyncNoParam(Protocol[_Self, _Return]):
        """A handler without parameters."""

        def __call__(self, obj: _Self, /) -> _Return | Awaitable[_Return]: ...

    class MethodSyncOrAsyncSingleParam(Protocol[_Self, _Param, _Return]):
        """A handler with one parameter."""

        def __call__(self, obj: _Self, arg: _Param, /) -> _Return | Awaitable[_Return]: ...

    class UpdateMethod(Protocol[MultiParamSpec, _Return]):
        """What ``@workflow.update`` makes of a method."""

        _defn: Any

        def __call__(
            self, *args: MultiParamSpec.args, **kwargs: MultiParamSpec.kwargs
        ) -> _Return | Awaitable[_Return]: ...

    class RpcOptions(TypedDict, total=False):
        """Keywords of every call that reaches the engine."""

        rpc_metadata: Mapping[str, str | bytes]
        rpc_timeout: timedelta | None

    class RunOptions(TypedDict, total=False):
        """Keywords that describe a run to start."""

        id: Required[str]
        task_queue: str
        execution_timeout: timedelta | None
        run_timeout: timedelta | None
        task_timeout: timedelta | None
        id_reuse_policy: WorkflowIDReusePolicy
        retry_policy: RetryPolicy | None
        cron_schedule: str
        memo: Mapping[str, Any] | None
        search_attributes: TypedSearchAttributes | SearchAttributes | None
        static_summary: str | None
        static_details: str | None
        start_delay: timedelta | None
        priority: Priority
        versioning_override: Any | None

    class WithStartOptions(RunOptions, total=False):
        """Keywords of ``WithStartWorkflowOperation``."""

        id_conflict_policy: Required[WorkflowIDConflictPolicy]

    class StartOptions(RunOptions, RpcOptions, total=False):
        """Keywords of ``start_workflow`` and ``execute_workflow``."""

        id_conflict_policy: WorkflowIDConflictPolicy
        start_signal: str | None
        start_signal_args: Sequence[Any]
        request_eager_start: bool

    class QueryOptions(RpcOptions, total=False):
        """Keywords of ``query``."""

        reject_condition: QueryRejectCondition | None

    class UpdateOptions(RpcOptions, total=False):
        """Keywords of ``execute_update`` and ``start_update``."""

        id: str | None
