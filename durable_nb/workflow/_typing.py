"""Types that let checkers connect what is called with what comes back; nothing here has behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

AnyType = TypeVar("AnyType")
ClassType = TypeVar("ClassType", bound=type)
SelfType = TypeVar("SelfType")
ParamType = TypeVar("ParamType")
ReturnType = TypeVar("ReturnType", covariant=True)
CallableType = TypeVar("CallableType", bound=Callable[..., Any])
CallableAsyncType = TypeVar("CallableAsyncType", bound=Callable[..., Awaitable[Any]])
CallableSyncOrAsyncReturnNoneType = TypeVar(
    "CallableSyncOrAsyncReturnNoneType", bound=Callable[..., Awaitable[None] | None]
)
MultiParamSpec = ParamSpec("MultiParamSpec")

_Self = TypeVar("_Self", contravariant=True)
_Param = TypeVar("_Param", contravariant=True)
_Return = TypeVar("_Return", covariant=True)


class CallableAsyncNoParam(Protocol[_Return]):
    """``async def f() -> R``."""

    def __call__(self) -> Awaitable[_Return]: ...


class CallableSyncNoParam(Protocol[_Return]):
    """``def f() -> R``."""

    def __call__(self) -> _Return: ...


class CallableAsyncSingleParam(Protocol[_Param, _Return]):
    """``async def f(arg) -> R``."""

    def __call__(self, arg: _Param, /) -> Awaitable[_Return]: ...


class CallableSyncSingleParam(Protocol[_Param, _Return]):
    """``def f(arg) -> R``."""

    def __call__(self, arg: _Param, /) -> _Return: ...


class MethodAsyncNoParam(Protocol[_Self, _Return]):
    """``async def f(self) -> R``."""

    def __call__(self, obj: _Self, /) -> Awaitable[_Return]: ...


class MethodSyncNoParam(Protocol[_Self, _Return]):
    """``def f(self) -> R``."""

    def __call__(self, obj: _Self, /) -> _Return: ...


class MethodAsyncSingleParam(Protocol[_Self, _Param, _Return]):
    """``async def f(self, arg) -> R``."""

    def __call__(self, obj: _Self, arg: _Param, /) -> Awaitable[_Return]: ...


class MethodSyncSingleParam(Protocol[_Self, _Param, _Return]):
    """``def f(self, arg) -> R``."""

    def __call__(self, obj: _Self, arg: _Param, /) -> _Return: ...


class MethodSyncOrAsyncNoParam(Protocol[_Self, _Return]):
    """A handler without parameters."""

    def __call__(self, obj: _Self, /) -> _Return | Awaitable[_Return]: ...


class MethodSyncOrAsyncSingleParam(Protocol[_Self, _Param, _Return]):
    """A handler with one parameter."""

    def __call__(self, obj: _Self, arg: _Param, /) -> _Return | Awaitable[_Return]: ...


@runtime_checkable
class UpdateMethodMultiParam(Protocol[MultiParamSpec, _Return]):
    """What ``@workflow.update`` makes of a method."""

    _defn: Any

    def __call__(self, *args: MultiParamSpec.args, **kwargs: MultiParamSpec.kwargs) -> _Return | Awaitable[_Return]: ...

    def validator(self, vfunc: Callable[MultiParamSpec, None]) -> Callable[MultiParamSpec, None]:
        """Decorate the function that checks the arguments before the update is accepted; not ``async def``."""
        ...
