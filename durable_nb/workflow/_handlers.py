"""Signal, query and update handlers: decorators, and handlers set at run time (temporal-semantics 3.5 - 3.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, overload

from durable_nb.runtime import messages as _messages
from durable_nb.runtime.handlers import HandlerUnfinishedPolicy, define_query, define_signal, define_update
from durable_nb.runtime.loop import current
from durable_nb.workflow._typing import (
    CallableSyncOrAsyncReturnNoneType,
    CallableType,
    MultiParamSpec,
    ReturnType,
    UpdateMethodMultiParam,
)


@overload
def signal(fn: CallableSyncOrAsyncReturnNoneType) -> CallableSyncOrAsyncReturnNoneType: ...


@overload
def signal(
    *,
    name: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[CallableSyncOrAsyncReturnNoneType], CallableSyncOrAsyncReturnNoneType]: ...


@overload
def signal(
    *,
    dynamic: Literal[True],
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[CallableSyncOrAsyncReturnNoneType], CallableSyncOrAsyncReturnNoneType]: ...


def signal(
    fn: Any = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method, sync or async, the handler of a signal; what it returns is ignored.

    Parameters
    ----------
    name
        Signal name; the method's by default.
    dynamic
        Take every signal without a handler: ``(self, name: str, args: Sequence[RawValue])``.
    unfinished_policy
        Whether to warn when the workflow closes while the handler runs.
    description
        One line for people.
    """
    return define_signal(fn, name, dynamic, unfinished_policy, description)


@overload
def query(fn: CallableType) -> CallableType: ...


@overload
def query(*, name: str, description: str | None = None) -> Callable[[CallableType], CallableType]: ...


@overload
def query(*, dynamic: Literal[True], description: str | None = None) -> Callable[[CallableType], CallableType]: ...


@overload
def query(*, description: str) -> Callable[[CallableType], CallableType]: ...


def query(
    fn: Any = None, *, name: str | None = None, dynamic: bool | None = False, description: str | None = None
) -> Any:
    """Make a method the handler of a query; it may not change anything.

    Parameters
    ----------
    name
        Query name; the method's by default.
    dynamic
        Answer every query without a handler: ``(self, name: str, args: Sequence[RawValue])``.
    description
        One line for people.
    """
    return define_query(fn, name, dynamic, description)


@overload
def update(
    fn: Callable[MultiParamSpec, Awaitable[ReturnType]],
) -> UpdateMethodMultiParam[MultiParamSpec, ReturnType]: ...


@overload
def update(fn: Callable[MultiParamSpec, ReturnType]) -> UpdateMethodMultiParam[MultiParamSpec, ReturnType]: ...


@overload
def update(
    *,
    name: str | None = None,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[Callable[MultiParamSpec, ReturnType]], UpdateMethodMultiParam[MultiParamSpec, ReturnType]]: ...


@overload
def update(
    *,
    dynamic: Literal[True],
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[Callable[MultiParamSpec, ReturnType]], UpdateMethodMultiParam[MultiParamSpec, ReturnType]]: ...


def update(
    fn: Any = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method, sync or async, the handler of an update; what it returns goes to the caller.

    ``@that_method.validator`` on another method with the same parameters lets it reject updates by raising.

    Parameters
    ----------
    name
        Update name; the method's by default.
    dynamic
        Take every update without a handler: ``(self, name: str, args: Sequence[RawValue])``.
    unfinished_policy
        Whether to warn when the workflow closes while the handler runs.
    description
        One line for people.
    """
    return define_update(fn, name, dynamic, unfinished_policy, description)


# -- at run time ---------------------------------------------------------------------------------------------------


def get_signal_handler(name: str) -> Callable[..., Any] | None:
    """Handler of a signal, None where there is none; the dynamic one is not a substitute."""
    return _bound(current().signals.get(name))


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a signal, None to remove it; signals that waited for one are handed over at once."""
    _messages.set_signal_handler(current(), name, handler)


def get_dynamic_signal_handler() -> Callable[..., Any] | None:
    """Handler of signals without a handler."""
    return _bound(current().signals.get(None))


def set_dynamic_signal_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of signals without a handler; all that waited are handed over at once."""
    _messages.set_signal_handler(current(), None, handler)


def get_query_handler(name: str) -> Callable[..., Any] | None:
    """Handler of a query, None where there is none; the dynamic one is not a substitute."""
    return _bound(current().queries.get(name))


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a query, None to remove it."""
    _messages.set_query_handler(current(), name, handler)


def get_dynamic_query_handler() -> Callable[..., Any] | None:
    """Handler of queries without a handler."""
    return _bound(current().queries.get(None))


def set_dynamic_query_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of queries without a handler."""
    _messages.set_query_handler(current(), None, handler)


def get_update_handler(name: str) -> Callable[..., Any] | None:
    """Handler of an update, None where there is none; the dynamic one is not a substitute."""
    return _bound(current().updates.get(name))


def set_update_handler(
    name: str, handler: Callable[..., Any] | None, *, validator: Callable[..., Any] | None = None
) -> None:
    """Set the handler of an update, None to remove it; the validator may not be ``async def``."""
    _messages.set_update_handler(current(), name, handler, validator)


def get_dynamic_update_handler() -> Callable[..., Any] | None:
    """Handler of updates without a handler."""
    return _bound(current().updates.get(None))


def set_dynamic_update_handler(
    handler: Callable[..., Any] | None, *, validator: Callable[..., Any] | None = None
) -> None:
    """Set the handler of updates without a handler."""
    _messages.set_update_handler(current(), None, handler, validator)


def all_handlers_finished() -> bool:
    """Whether no signal or update handler is running.

    ``await workflow.wait_condition(workflow.all_handlers_finished)`` before the workflow returns lets them finish.
    """
    mail = current().mail
    return mail is None or not mail.busy


def _bound(definition: Any) -> Callable[..., Any] | None:
    return None if definition is None else definition.bind(current().object)
