"""``@activity.defn``: from a callable to a checked activity definition.

The decorator returns a thin wrapper of the same kind (``async def`` stays ``async def``), with ``__wrapped__`` set, so
that ``inspect``, ``pickle`` by name and unit tests see an ordinary function. Its only addition: called directly inside
workflow code, it schedules the activity and returns an awaitable. Workers call the function inside, never the wrapper.
Invariant: whatever a worker or a workflow needs to know about an activity is computed here once, not per call.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
from asyncio import _get_running_loop
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast, get_args, get_origin

from durable_nb.policies import RawValue
from durable_nb.runtime.direct import call_activity, in_workflow
from durable_nb.runtime.hints import type_hints

ATTRIBUTE = "__temporal_activity_definition"
"""Where a decorated callable carries its definition; the name is Temporal's, workflow code looks for it too."""

F = TypeVar("F", bound=Callable[..., Any])

_TIMEOUTS = ("start_to_close_timeout", "schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout")


class ActivityDefinition:
    """Everything known about one activity.

    Attributes
    ----------
    name
        Activity type; None for a dynamic activity.
    fn
        The callable as the user knows it: the decorated function, a bound method, an instance with ``__call__``.
    run
        What a worker calls; the same as ``fn`` without the wrapper of the decorator.
    is_async, no_thread_cancel_exception
        As decorated.
    options
        Keyword arguments for ``workflow.start_activity`` when the activity is called directly in workflow code.
    dynamic_vararg
        Always False: a dynamic activity takes one ``Sequence[RawValue]``.
    """

    __slots__ = (
        "_arity",
        "_hints",
        "_wrapper",
        "dynamic_vararg",
        "fn",
        "is_async",
        "is_method",
        "name",
        "no_thread_cancel_exception",
        "options",
        "run",
    )

    def __init__(
        self,
        name: str | None,
        fn: Callable[..., Any],
        *,
        is_async: bool,
        is_method: bool = False,
        no_thread_cancel_exception: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.fn = fn
        self.run = fn
        self.is_async = is_async
        self.is_method = is_method
        self.no_thread_cancel_exception = no_thread_cancel_exception
        self.options: Mapping[str, Any] = options or {}
        self.dynamic_vararg = False
        self._wrapper: Callable[..., Any] | None = None
        self._hints: tuple[list[Any] | None, Any] | None = None
        self._arity: tuple[int, int | None] | None = None

    @property
    def arg_types(self) -> list[Any] | None:
        """Type hint of each parameter; None when the parameters cannot be counted (``*args``).

        Raises
        ------
        NameError
            An annotation names something that does not exist (yet).
        """
        return self._read_hints()[0]

    @property
    def ret_type(self) -> Any:
        """Type hint of the result, None for none. Raises NameError as ``arg_types`` does."""
        return self._read_hints()[1]

    @property
    def arity(self) -> tuple[int, int | None]:
        """Fewest and most arguments that a caller may send; None for any number."""
        if self._arity is None:
            self._arity = _count_parameters(self.run, skip_first=self.is_method)
        return self._arity

    def bound_to(self, fn: Callable[..., Any]) -> ActivityDefinition:
        """The same definition for the callable that is registered: a bound method, an instance, or itself."""
        if fn is self.fn:
            return self
        bound = ActivityDefinition(
            self.name,
            fn,
            is_async=self.is_async,
            no_thread_cancel_exception=self.no_thread_cancel_exception,
            options=self.options,
        )
        bound._hints = self._hints
        bound.run = fn
        # Only the decorator's own wrapper is taken off; a wrapper that the user put on top must run.
        wrapper = self._wrapper
        if fn is wrapper:
            bound.run = self.run
            bound.is_method = self.is_method
        elif isinstance(fn, types.MethodType) and fn.__func__ is wrapper:
            bound.run = types.MethodType(self.run, fn.__self__)
        elif wrapper is not None and callable(fn) and type(fn).__call__ is wrapper:
            bound.run = types.MethodType(self.run, fn)
        return bound

    def positional(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments of a direct call as the positional list that is recorded in history.

        Raises
        ------
        TypeError
            They do not fit the activity's parameters.
        """
        if not kwargs:
            positional = args[1:] if self.is_method else args
            error = self.argument_error(len(positional))
            if error is not None:
                raise error
            return positional
        bound = inspect.signature(self.run).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            unknown = ", ".join(bound.kwargs)
            raise TypeError(f"activity {self.name} cannot take keyword arguments ({unknown}): pass them by position")
        return bound.args[1:] if self.is_method else bound.args

    def argument_error(self, count: int) -> TypeError | None:
        """What is wrong with calling this activity with ``count`` arguments; None when nothing is."""
        fewest, most = self.arity
        if fewest <= count and (most is None or count <= most):
            return None
        some = str(fewest) if most == fewest else f"{fewest} to {most}"
        wanted = f"at least {fewest}" if most is None else some
        noun = "argument" if wanted == "1" else "arguments"
        signature = str(inspect.signature(self.run))
        return TypeError(
            f"activity {self.name or '(dynamic)'} takes {wanted} {noun} but was called with {count}: "
            f"it is defined as {signature}; change the call in the workflow or give new parameters a default"
        )

    def _read_hints(self) -> tuple[list[Any] | None, Any]:
        if self._hints is None:
            fn: Any = self.run
            if not isinstance(fn, types.FunctionType | types.MethodType):
                fn = type(fn).__call__  # an instance that can be called
            self._hints = type_hints(fn, f"activity {self.name or '(dynamic)'}")
        return self._hints


def _count_parameters(fn: Callable[..., Any], *, skip_first: bool) -> tuple[int, int | None]:
    fewest, most = 0, 0
    unlimited = False
    for parameter in list(inspect.signature(fn).parameters.values())[1 if skip_first else 0 :]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            unlimited = True
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            fewest += parameter.default is parameter.empty
    return fewest, None if unlimited else most


def definition_of(fn: Any) -> ActivityDefinition | None:
    """The definition that a decorated callable carries, bound to that very callable; None when undecorated."""
    found = getattr(fn, ATTRIBUTE, None)
    return found.bound_to(fn) if isinstance(found, ActivityDefinition) else None


def must_have_definition(fn: Any) -> ActivityDefinition:
    """The definition of a decorated callable.

    Raises
    ------
    TypeError
        The callable was not decorated.
    """
    found = definition_of(fn)
    if found is None:
        name = getattr(fn, "__name__", "<unknown>")
        raise TypeError(f"Activity {name} missing attributes, was it decorated with @activity.defn?")
    return found


def define(
    fn: F,
    *,
    name: str | None,
    no_thread_cancel_exception: bool,
    dynamic: bool,
    options: Mapping[str, Any],
) -> F:
    """Check a callable and make it an activity; what ``activity.defn`` does.

    Raises
    ------
    TypeError
        Not callable, keyword-only parameters, a dynamic activity with the wrong parameter, an option of wrong type.
    ValueError
        It is an activity already, or is both named and dynamic.
    """
    if isinstance(fn, staticmethod | classmethod):
        kind = type(fn).__name__
        raise TypeError(f"@activity.defn must stand under @{kind}: write @{kind} on the line above @activity.defn")
    if not callable(fn):
        raise TypeError("Activity is not callable")
    if ATTRIBUTE in (vars(fn) if isinstance(fn, type) else getattr(fn, "__dict__", {})):
        raise ValueError("Function already contains activity definition")
    if name and dynamic:
        raise ValueError("a dynamic activity cannot have a name: leave out name= or dynamic=")
    _check_options(options)
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise TypeError("Activity cannot have keyword-only arguments")
    inner = fn if inspect.isroutine(fn) else cast("Any", fn if isinstance(fn, type) else type(fn)).__call__
    definition = ActivityDefinition(
        None if dynamic else name or fn.__name__,
        fn,
        is_async=inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(inner),
        is_method=isinstance(fn, type) or _is_method(fn),
        no_thread_cancel_exception=no_thread_cancel_exception,
        options=options,
    )
    if dynamic:
        _check_dynamic(definition)
    return _install(fn, definition)


def _install(fn: F, definition: ActivityDefinition) -> F:
    """Put the definition on the callable and return what takes its place."""
    if isinstance(fn, type):
        # Instances are registered; the class stays itself and only its __call__ learns to schedule.
        definition.run = cast("Any", fn).__call__
        definition._wrapper = _wrap(definition.run, definition)
        cast("Any", fn).__call__ = definition._wrapper
        setattr(fn, ATTRIBUTE, definition)
        return fn
    if not isinstance(fn, types.FunctionType):
        setattr(fn, ATTRIBUTE, definition)
        return fn
    wrapper = _wrap(fn, definition)
    definition._wrapper = wrapper
    definition.fn = wrapper
    setattr(fn, ATTRIBUTE, definition)
    setattr(wrapper, ATTRIBUTE, definition)
    return cast("F", wrapper)


def _wrap(fn: Callable[..., Any], definition: ActivityDefinition) -> Callable[..., Any]:
    if definition.is_async:

        @functools.wraps(fn)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            if in_workflow(_get_running_loop()):
                return await call_activity(definition, definition.positional(args, kwargs))
            return await fn(*args, **kwargs)

        return call_async

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        if in_workflow(_get_running_loop()):
            return call_activity(definition, definition.positional(args, kwargs))
        return fn(*args, **kwargs)

    return call


def _is_method(fn: Callable[..., Any]) -> bool:
    """Whether a function is written in a class body and takes the instance."""
    owner = getattr(fn, "__qualname__", "").rpartition(".")[0]
    if not owner or owner.endswith("<locals>"):
        return False
    return next(iter(inspect.signature(fn).parameters), None) in ("self", "cls")


def _check_dynamic(definition: ActivityDefinition) -> None:
    hints = definition.arg_types
    if not hints or len(hints) != 1 or get_origin(hints[0]) is not collections.abc.Sequence:
        good = False
    else:
        good = get_args(hints[0]) == (RawValue,)
    if not good:
        raise TypeError("Dynamic activity must accept a single Sequence[durable_nb.common.RawValue]")


def _check_options(options: Mapping[str, Any]) -> None:
    for name in _TIMEOUTS:
        value = options.get(name)
        if value is not None and not isinstance(value, timedelta):
            raise TypeError(f"{name} must be a timedelta, got {value!r}: write for instance timedelta(seconds=30)")
