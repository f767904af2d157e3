"""Definitions of signal, query and update handlers, and the decorators that make them.

A definition is made once, at decoration or at ``set_…_handler``; nothing about a handler is looked up per message.
Source: temporal-semantics 3.5 - 3.7.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import warnings
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, get_args, get_origin

from durable_nb.policies import RawValue
from durable_nb.runtime.hints import type_hints

SIGNAL_ATTRIBUTE = "__temporal_signal_definition"
QUERY_ATTRIBUTE = "__temporal_query_definition"
UPDATE_ATTRIBUTE = "_defn"


class HandlerUnfinishedPolicy(Enum):
    """What happens when a workflow closes while a handler runs."""

    WARN_AND_ABANDON = 1
    """Warn, and drop the handler."""

    ABANDON = 2
    """Drop the handler; the caller of an update gets an error."""


class UnfinishedSignalHandlersWarning(RuntimeWarning):
    """A workflow closed while signal handlers were running."""


class UnfinishedUpdateHandlersWarning(RuntimeWarning):
    """A workflow closed while update handlers were running."""


class HandlerDefinition:
    """One handler.

    Attributes
    ----------
    name
        None for a dynamic handler, which takes what no other handler does.
    fn
        The function; ``is_method`` says whether it takes the workflow object first.
    is_async
        Whether it is ``async def``.
    dynamic_vararg
        Whether a dynamic handler has the old ``(self, name, *args)`` form.
    """

    __slots__ = (
        "_hints",
        "description",
        "dynamic_vararg",
        "fn",
        "is_async",
        "is_method",
        "name",
        "unfinished_policy",
        "validator",
    )
    kind = "handler"

    def __init__(
        self,
        name: str | None,
        fn: Callable[..., Any],
        *,
        is_method: bool = True,
        unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
        description: str | None = None,
    ) -> None:
        self.name = name
        self.fn = fn
        self.is_method = is_method
        self.is_async = inspect.iscoroutinefunction(fn)
        self.unfinished_policy = unfinished_policy
        self.description = description
        self.validator: Callable[..., None] | None = None
        self._hints: tuple[list[Any] | None, Any] | None = None
        self.dynamic_vararg = name is None and self._has_old_dynamic_form()
        if name is None and not self.dynamic_vararg:
            self._check_dynamic()

    @property
    def arg_types(self) -> list[Any] | None:
        """Hint of each parameter; None where they cannot be counted."""
        return (self._hints or self._read_hints())[0]

    @property
    def ret_type(self) -> Any:
        """Hint of the result."""
        return (self._hints or self._read_hints())[1]

    def bind(self, workflow: Any) -> Callable[..., Any]:
        """The handler as a function of its arguments only."""
        return types.MethodType(self.fn, workflow) if self.is_method else self.fn

    def check_count(self, count: int) -> None:
        """Refuse a number of arguments that the handler does not take.

        An update is checked before it is accepted, so that the caller's mistake is the caller's error: accepted, it
        would fail the workflow task again and again.

        Raises
        ------
        TypeError
            Says what the handler takes.
        """
        signature = inspect.signature(self.fn)
        try:
            signature.bind(*range(count + self.is_method))
        except TypeError as error:
            names = list(signature.parameters)[int(self.is_method) :]
            raise TypeError(
                f"{self.kind} {self.name!r} takes ({', '.join(names)}), but got {count} arguments: {error}"
            ) from None

    def bind_validator(self, workflow: Any) -> Callable[..., Any] | None:
        """The validator as a function of its arguments only; None where there is none."""
        if self.validator is None:
            return None
        return types.MethodType(self.validator, workflow) if self.is_method else self.validator

    def set_validator(self, validator: Callable[..., None]) -> None:
        """Attach the validator of an update.

        Raises
        ------
        ValueError
            It is ``async def``: nobody would await it, and every update would be accepted.
        RuntimeError
            There is one already.
        """
        if inspect.iscoroutinefunction(validator):
            raise ValueError("Update validator must not be an async function")
        if self.validator is not None:
            raise RuntimeError(f"Validator already set for update {self.name}")
        self.validator = validator

    def _read_hints(self) -> tuple[list[Any] | None, Any]:
        self._hints = type_hints(self.fn, f"{self.kind} {self.name or '(dynamic)'}")
        return self._hints

    def _has_old_dynamic_form(self) -> bool:
        parameters = list(inspect.signature(self.fn).parameters.values())
        return (
            len(parameters) == 2 + self.is_method
            and parameters[-2].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
        )

    def _check_dynamic(self) -> None:
        hints = self.arg_types
        if hints and len(hints) == 2 and hints[0] is str and is_raw_sequence(hints[1]):
            return
        raise RuntimeError("Dynamic handler must have 3 arguments: self, str, and Sequence[RawValue]")


class SignalDefinition(HandlerDefinition):
    __slots__ = ()
    kind = "signal"


class QueryDefinition(HandlerDefinition):
    __slots__ = ()
    kind = "query"


class UpdateDefinition(HandlerDefinition):
    __slots__ = ()
    kind = "update"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.dynamic_vararg:
            raise RuntimeError("Dynamic updates do not support a vararg third param, use Sequence[RawValue]")


def is_raw_sequence(hint: Any) -> bool:
    """Whether a hint is ``Sequence[RawValue]``."""
    return get_origin(hint) is collections.abc.Sequence and get_args(hint) == (RawValue,)


def signal_name(signal: Any) -> str:
    """Name of a signal given as a str or as a decorated method.

    Raises
    ------
    RuntimeError
        The function is no signal handler, or a dynamic one.
    """
    if not callable(signal):
        return str(signal)
    found: SignalDefinition | None = getattr(signal, SIGNAL_ATTRIBUTE, None)
    if found is None:
        label = getattr(signal, "__qualname__", repr(signal))
        raise RuntimeError(f"Signal definition not found on {label}, is it decorated with @workflow.signal?")
    if not found.name:
        raise RuntimeError("Cannot invoke dynamic signal definition")
    return found.name


# -- decorators ----------------------------------------------------------------------------------------------------


def define_signal(
    fn: Callable[..., Any] | None,
    name: str | None,
    dynamic: bool | None,
    policy: HandlerUnfinishedPolicy,
    description: str | None,
) -> Any:
    """What ``@workflow.signal`` does."""
    _refuse_named_dynamic(name, dynamic)

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        definition = SignalDefinition(
            None if dynamic else name or fn.__name__, fn, unfinished_policy=policy, description=description
        )
        if definition.dynamic_vararg:
            warn_old_dynamic("signals", 4)
        setattr(fn, SIGNAL_ATTRIBUTE, definition)
        return fn

    return decorate if fn is None else decorate(fn)


def define_query(fn: Callable[..., Any] | None, name: str | None, dynamic: bool | None, description: str | None) -> Any:
    """What ``@workflow.query`` does."""
    _refuse_named_dynamic(name, dynamic)
    if fn is None and name is None and not dynamic and not description:
        raise RuntimeError("Cannot create query without function or name or dynamic")

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(fn):
            warn_async_query(4)
        definition = QueryDefinition(None if dynamic else name or fn.__name__, fn, description=description)
        if definition.dynamic_vararg:
            warn_old_dynamic("queries", 4)
        setattr(fn, QUERY_ATTRIBUTE, definition)
        return fn

    return decorate if fn is None else decorate(fn)


def define_update(
    fn: Callable[..., Any] | None,
    name: str | None,
    dynamic: bool | None,
    policy: HandlerUnfinishedPolicy,
    description: str | None,
) -> Any:
    """What ``@workflow.update`` does."""
    _refuse_named_dynamic(name, dynamic)

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        definition = UpdateDefinition(
            None if dynamic else name or fn.__name__, fn, unfinished_policy=policy, description=description
        )
        setattr(fn, UPDATE_ATTRIBUTE, definition)
        setattr(fn, "validator", partial(_set_validator, definition))  # noqa: B010 - functions have no such attribute
        return fn

    return decorate if fn is None else decorate(fn)


def _set_validator(definition: UpdateDefinition, fn: Callable[..., None]) -> Callable[..., None]:
    definition.set_validator(fn)
    return fn


def _refuse_named_dynamic(name: str | None, dynamic: bool | None) -> None:
    if name is not None and dynamic:
        raise RuntimeError("Cannot provide name and dynamic boolean")


def warn_async_query(stacklevel: int) -> None:
    """Queries are answered at once; ``async def`` only invites awaits that cannot be."""
    warnings.warn("Queries as async def functions are deprecated", DeprecationWarning, stacklevel=stacklevel)


def warn_old_dynamic(kind: str, stacklevel: int) -> None:
    """The ``*args`` form of dynamic handlers is on its way out."""
    warnings.warn(
        f"Dynamic {kind} with vararg third param is deprecated, use Sequence[RawValue]",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
