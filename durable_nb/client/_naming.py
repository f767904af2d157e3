"""From what a caller passes (a method, a function, a name) to the name and result type that a request needs.

Also where usual mistakes are caught: the method of an instance, a coroutine, a handler of another kind, a wrong
number of arguments. A function is looked at once; later calls are one lookup.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from durable_nb.model.spelling import nearest

WORKFLOW, SIGNAL, QUERY, UPDATE = "workflow", "signal", "query", "update"

_HANDLER_ATTRIBUTES = {SIGNAL: "__temporal_signal_definition", QUERY: "__temporal_query_definition", UPDATE: "_defn"}
_DEFINITION = "__temporal_workflow_definition"
_CALLS = {
    WORKFLOW: "client.start_workflow({}, …)",
    SIGNAL: "handle.signal({}, …)",
    QUERY: "handle.query({}, …)",
    UPDATE: "handle.execute_update({}, …)",
}


class Callee(NamedTuple):
    """A named thing of a workflow. ``most`` is None where any number of arguments is taken."""

    name: str
    result_type: Any
    label: str
    parameters: tuple[str, ...]
    least: int
    most: int | None


class _Unset:
    """Type of the marker for "no argument given"; None is an argument."""

    def __repr__(self) -> str:
        return "<unset>"


arg_unset: Any = _Unset()
id_missing: Any = _Unset()

_known: dict[str, WeakKeyDictionary[Any, Callee]] = {
    kind: WeakKeyDictionary() for kind in (WORKFLOW, SIGNAL, QUERY, UPDATE)
}


def called(kind: str, target: Any, arg: Any, args: Sequence[Any]) -> tuple[str, Sequence[Any], Any]:
    """Name, arguments and annotated result of a call; the result is None where ``target`` is a name.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As ``named`` and ``arguments`` do.
    """
    callee = named(kind, target)
    if callee is None:
        return str(target), arguments(None, arg, args), None
    return callee.name, arguments(callee, arg, args), callee.result_type


def named(kind: str, target: Any) -> Callee | None:
    """What ``target`` refers to, or None for a name (a str), about which nothing is known.

    Raises
    ------
    TypeError
        ``target`` is no function: a coroutine, an instance, the method of an instance.
    ValueError, RuntimeError
        A function that is no workflow, or no handler of that kind (the two classes are Temporal's); or a dynamic
        definition, which has no name to call it by. Messages show what to write instead.
    """
    if isinstance(target, str):
        return None
    try:
        return _known[kind][target]
    except (KeyError, TypeError):
        # TypeError: neither hashable nor weakly referable, so it is no function; _examine says what is wrong.
        callee = _known[kind][target] = _examine(kind, target)
        return callee


def arguments(callee: Callee | None, arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments of a call, given as ``arg`` or as ``args=[…]``.

    Raises
    ------
    ValueError
        Both were given.
    TypeError
        Not as many as the function takes, or ``args`` is a str.
    """
    if arg is not arg_unset:
        if args:
            raise ValueError("Cannot have arg and args: pass one argument as arg, or all of them as args=[…]")
        args = (arg,)
    elif isinstance(args, str | bytes):
        raise TypeError(f"args must be a list of arguments, not {type(args).__name__}: write args=[{args!r}]")
    if callee is not None:
        count = len(args)
        if count < callee.least or (callee.most is not None and count > callee.most):
            raise TypeError(_wrong_count(callee, count))
    return args


def _wrong_count(callee: Callee, count: int) -> str:
    bounds = str(callee.least) if callee.most == callee.least else f"{callee.least} to {callee.most}"
    if callee.most is None:
        bounds = f"at least {callee.least}"
    names = f" ({', '.join(callee.parameters)})" if callee.parameters else ""
    hint = "; pass several arguments as args=[…]" if count < callee.least and callee.least > 1 else ""
    return f"{callee.label} takes {bounds} argument{'' if bounds == '1' else 's'}{names}, but {count} given{hint}"


def _examine(kind: str, target: Any) -> Callee:
    """Read a definition; all that is slow or long-winded happens here, once per function."""
    _refuse_lookalikes(kind, target)
    definition = _workflow_definition(target) if kind == WORKFLOW else _handler_definition(kind, target)
    function = definition.run_fn if kind == WORKFLOW else definition.fn
    label = getattr(function, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    if not definition.name:
        raise RuntimeError(f"Cannot invoke dynamic {kind} {label}: pass the name to call it by as a str")
    owner = definition.cls if kind == WORKFLOW else None
    takes_self = inspect.isclass(owner) if kind == WORKFLOW else bool(getattr(definition, "is_method", True))
    parameters, least, most = _parameters(function, takes_self)
    return Callee(definition.name, getattr(definition, "ret_type", None), label, parameters, least, most)


def _parameters(function: Callable[..., Any], takes_self: bool) -> tuple[tuple[str, ...], int, int | None]:
    found = list(inspect.signature(function).parameters.values())[int(takes_self) :]
    positional = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in positional)
    most = None if any(p.kind is p.VAR_POSITIONAL for p in found) else len(positional)
    return tuple(p.name for p in found), least, most


def _workflow_definition(target: Any) -> Any:
    definition = getattr(target, _DEFINITION, None)
    if definition is None or (inspect.isclass(target) and definition.cls is not target):
        name = getattr(target, "__qualname__", repr(target))
        if inspect.isclass(target):
            fix = "decorate the class with @workflow.defn"
        elif "." in name.split("<locals>.")[-1]:
            fix = "decorate it with @workflow.run and its class with @workflow.defn"
        else:
            fix = "decorate it with @workflow.defn"
        raise ValueError(f"{name} is not a workflow: {fix}, or pass the name of a workflow as a str")
    return definition


def _handler_definition(kind: str, target: Any) -> Any:
    definition = getattr(target, _HANDLER_ATTRIBUTES[kind], None)
    if definition is not None:
        return definition
    label = getattr(target, "__qualname__", repr(target))
    for other, attribute in _HANDLER_ATTRIBUTES.items():
        if getattr(target, attribute, None) is not None:
            raise RuntimeError(f"{label} is a workflow {other}, not a {kind}: write {_CALLS[other].format(label)}")
    article = "an" if kind == UPDATE else "a"
    raise RuntimeError(
        f"{label} is not {article} {kind}: decorate it with @workflow.{kind}, or pass the name of {article} {kind}"
        + _suggestion(kind, target)
    )


def _suggestion(kind: str, target: Any) -> str:
    """Names of the handlers of the class that a plain method belongs to, the likeliest first."""
    module = inspect.getmodule(target)
    owner: Any = module
    for part in getattr(target, "__qualname__", "").split(".")[:-1]:
        owner = getattr(owner, part, None)
    definition = getattr(owner, _DEFINITION, None)
    if definition is None:
        return ""
    known = [str(name) for name in getattr(definition, {"query": "queries"}.get(kind, f"{kind}s"), {}) if name]
    close = nearest(getattr(target, "__name__", ""), known)
    if close:
        return f". Did you mean {close!r}?"
    return f". {owner.__qualname__} has {', '.join(sorted(known)) if known else 'none'}"


def _refuse_lookalikes(kind: str, target: Any) -> None:
    if inspect.iscoroutine(target):
        label = target.__qualname__
        target.close()  # Otherwise Python warns, on top of our error, that nobody awaited it.
        raise TypeError(
            f"{label}(…) was called, which made a coroutine: pass the function itself, {_CALLS[kind].format(label)}"
        )
    if inspect.ismethod(target) and not inspect.isclass(target.__self__):
        label = target.__func__.__qualname__
        raise TypeError(
            f"{label} was taken from an instance: the engine makes the instance, so pass the function of the class, "
            + _CALLS[kind].format(label)
        )
    if not callable(target):
        article = "an" if kind == UPDATE else "a"
        if kind == WORKFLOW and getattr(type(target), _DEFINITION, None) is not None:
            name = type(target).__qualname__
            raise TypeError(f"got an instance of {name}: pass its run method, {_CALLS[kind].format(name + '.run')}")
        raise TypeError(f"{kind} must be a str or {article} {kind} function, not {type(target).__name__}")


def require_id(verb: str, id: Any) -> str:
    """The id, which is a non-empty str.

    Raises
    ------
    TypeError
        No id, or one that is no str.
    ValueError
        An empty one.
    """
    if type(id) is str and id:
        return id
    if id is id_missing:
        raise TypeError(
            f"{verb}() needs id=…, the workflow ID: your own key for the run, by which a second start with the same "
            f'key is recognised, for instance id="order-1"'
        )
    if not isinstance(id, str):
        raise TypeError(f"id must be a str, not {type(id).__name__}: write id=str({id!r})")
    if not id:
        raise ValueError('id must not be empty: it is the key of the run, for instance id="order-1"')
    return id
