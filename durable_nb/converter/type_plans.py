"""Plans for hints that are classes or containers: mappings, dataclasses, enums, UUID, sequences, tuples.

``class_plan`` is asked by ``type_hints``, which handles everything simpler. Each function here inspects a hint once
and returns the function that converts values. What a plan learns on its first value it stores at once, never in part,
because activities of several threads share plans. Source of the rules: temporal-semantics section 5.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import inspect
import types
import uuid
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, TypeVar, get_type_hints

from durable_nb.converter.mismatch import Mismatch, expected, type_text, value_text
from durable_nb.exceptions import FailureError

Plan = Callable[[Any], Any]


class PlanMaker(Protocol):
    """Makes plans of nested hints."""

    def plan(self, hint: Any) -> Plan: ...


def class_plan(maker: PlanMaker, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Plan | None:
    """The plan of a class or of a generic alias of one; None when there is no rule for it."""
    if not inspect.isclass(origin):
        return None
    if issubclass(origin, collections.abc.Mapping):
        return _mapping_plan(maker, hint, origin, arguments)
    if dataclasses.is_dataclass(origin):
        return _dataclass_plan(maker, hint, origin, arguments)
    if isinstance(inspect.getattr_static(origin, "parse_obj", None), (classmethod, staticmethod)):
        return _parse_obj_plan(origin)
    if issubclass(origin, Enum):
        if issubclass(origin, int):
            return _enum_plan(origin, int)
        if issubclass(origin, str):
            return _enum_plan(origin, str)
        return None
    if issubclass(origin, uuid.UUID):
        return lambda value: _call(origin, value)
    if issubclass(origin, str):
        return lambda value: _call(origin, value) if isinstance(value, str) else _raise(expected(origin, value))
    if issubclass(origin, tuple):
        fields = getattr(origin, "_fields", None)
        if fields is not None:
            return _named_tuple_plan(maker, origin, fields)
        return _tuple_plan(maker, hint, arguments)
    if origin.__module__ == "numpy" and hasattr(origin, "dtype") and not hasattr(origin, "__iter__"):
        return lambda value: _call(origin, value)
    if issubclass(origin, collections.abc.Iterable):
        return _iterable_plan(maker, hint, origin, arguments)
    return None


def _raise(error: Exception) -> Any:
    raise error


def _call(target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a constructor of user code; what it raises becomes a mismatch, failures of workflows excepted."""
    try:
        return target(*args, **kwargs)
    except (FailureError, Mismatch):
        raise
    except Exception as error:
        name = type_text(target)
        raise Mismatch(f"{name} refused it: {type(error).__name__}: {error}") from error


def _hints_of(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except NameError as error:
        raise Mismatch(f"a type hint of {type_text(cls)} cannot be resolved: {error}") from error


# -- mappings ------------------------------------------------------------------------------------------------------


def _mapping_plan(maker: PlanMaker, hint: Any, origin: type, arguments: tuple[Any, ...]) -> Plan:
    if getattr(origin, "__required_keys__", None) or getattr(origin, "__optional_keys__", None):
        return _typed_dict_plan(maker, hint, origin)
    key_hint, value_hint = (_meaningful(arguments, position) for position in (0, 1))
    to_key = None if key_hint is None or key_hint is str else _key_plan(maker, key_hint)
    to_value = None if value_hint is None else maker.plan(value_hint)

    def convert(value: Any) -> dict[Any, Any]:
        if not isinstance(value, collections.abc.Mapping):
            raise expected(hint, value)
        if to_key is None and to_value is None:
            return dict(value)
        result = {}
        for key, item in value.items():
            try:
                typed = item if to_value is None else to_value(item)
            except Mismatch as mismatch:
                mismatch.inside(str(key))
                raise
            result[key if to_key is None else to_key(key)] = typed
        return result

    return convert


def _meaningful(arguments: tuple[Any, ...], position: int) -> Any:
    if position >= len(arguments):
        return None
    argument = arguments[position]
    return None if argument is Any or isinstance(argument, TypeVar) else argument


def _key_plan(maker: PlanMaker, hint: Any) -> Plan:
    """JSON keys are text: what ``json.dumps`` wrote for numbers, booleans and None is read back."""
    to_type = maker.plan(hint)
    from_text: Plan | None = None
    if hint is int or hint is float:
        from_text = hint
    elif inspect.isclass(hint) and issubclass(hint, Enum) and issubclass(hint, int):
        from_text = int
    elif hint is bool:
        from_text = {"true": True, "false": False}.__getitem__
    elif hint is type(None):
        from_text = {"null": None}.__getitem__

    def convert(key: Any) -> Any:
        try:
            typed = from_text(key) if from_text is not None and isinstance(key, str) else key
            if type(hint) is type and isinstance(typed, hint):
                return typed
            return to_type(typed)
        except Mismatch as mismatch:
            raise Mismatch(f"key {key!r}: {mismatch.problem}") from mismatch
        except (ValueError, KeyError) as error:
            raise Mismatch(f"key {key!r} is no {type_text(hint)}") from error

    return convert


def _typed_dict_plan(maker: PlanMaker, hint: Any, origin: type) -> Plan:
    plans: dict[str, Plan] = {}

    def convert(value: Any) -> Any:
        if not isinstance(value, collections.abc.Mapping):
            raise expected(hint, value)
        if not plans:
            plans.update({name: maker.plan(of_key) for name, of_key in _hints_of(origin).items()})
        result = {}
        for key, item in value.items():
            plan = plans.get(key)
            try:
                result[key] = item if plan is None else plan(item)
            except Mismatch as mismatch:
                mismatch.inside(str(key))
                raise
        return hint(**result)

    return convert


# -- classes -------------------------------------------------------------------------------------------------------


def _dataclass_plan(maker: PlanMaker, hint: Any, cls: Any, arguments: tuple[Any, ...]) -> Plan:
    """Unknown keys are ignored, missing ones take the default or are an error, init=False fields are restored."""
    # Resolved on the first value, for classes that refer to themselves or to one defined further down.
    fields: list[tuple[str, Plan, bool]] = []
    required: list[str] = []

    def resolve() -> None:
        hints = _hints_of(cls)
        bound = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
        declared = dataclasses.fields(cls)
        found = [(each.name, maker.plan(_substitute(hints[each.name], bound)), each.init) for each in declared]
        required[:] = [
            each.name
            for each in declared
            if each.init and each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        ]
        fields[:] = found  # last, so that another thread sees all or nothing

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise expected(f"a JSON object for {type_text(hint)}", value)
        if not fields:
            resolve()
        given: dict[str, Any] = {}
        restored: dict[str, Any] = {}
        for name, plan, init in fields:
            if name not in value:
                continue
            try:
                (given if init else restored)[name] = plan(value[name])
            except Mismatch as mismatch:
                mismatch.inside(name)
                raise
        try:
            made = cls(**given)
        except FailureError:
            raise
        except Exception as error:
            missing = [name for name in required if name not in given]
            if missing:
                what = f"{type_text(hint)} needs {', '.join(map(repr, missing))}, which the stored object has not"
            else:
                what = f"{type_text(hint)} refused it: {type(error).__name__}: {error}"
            raise Mismatch(what) from error
        for name, typed in restored.items():
            object.__setattr__(made, name, typed)
        return made

    return convert


def _substitute(hint: Any, bound: dict[Any, Any]) -> Any:
    """A field's hint with the type variables of a generic dataclass filled in."""
    if not bound:
        return hint
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or (inspect.isclass(hint) and not isinstance(hint, types.GenericAlias)):
        return hint
    return hint[tuple(bound.get(parameter, parameter) for parameter in parameters)]


def _parse_obj_plan(cls: Any) -> Plan:
    """Pydantic models without pydantic's data converter."""

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            raise expected(f"a JSON object for {type_text(cls)}", value)
        return _call(cls.parse_obj, value)

    return convert


def _enum_plan(cls: type[Enum], base: type) -> Plan:
    def convert(value: Any) -> Any:
        if not isinstance(value, base):
            raise expected(f"{base.__name__} for {cls.__name__}", value)
        try:
            return cls(value)
        except ValueError as error:
            members = ", ".join(repr(member.value) for member in cls)
            raise expected(f"one of {members} for {cls.__name__}", value) from error

    return convert


def _named_tuple_plan(maker: PlanMaker, cls: Any, fields: tuple[str, ...]) -> Plan:
    plans: list[Plan | None] = []

    def convert(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise expected(f"a JSON array for {cls.__name__}", value)
        if not plans:
            hints = _hints_of(cls)
            plans[:] = [maker.plan(hints[name]) if name in hints else None for name in fields]
        if len(value) > len(fields):
            raise expected(f"at most {len(fields)} items for {cls.__name__}", value)
        items = []
        for name, plan, item in zip(fields, plans, value, strict=False):
            try:
                items.append(item if plan is None else plan(item))
            except Mismatch as mismatch:
                mismatch.inside(name)
                raise
        return _call(cls, *items)

    return convert


# -- sequences -----------------------------------------------------------------------------------------------------


def _listed(hint: Any, value: Any) -> Any:
    if not isinstance(value, collections.abc.Iterable):
        raise expected(hint, value)
    return value


def _tuple_plan(maker: PlanMaker, hint: Any, arguments: tuple[Any, ...]) -> Plan:
    if not arguments or (len(arguments) == 1 and (arguments[0] is Ellipsis or isinstance(arguments[0], TypeVar))):
        return lambda value: tuple(_listed(hint, value))
    open_ended = arguments[-1] is Ellipsis
    plans = [maker.plan(argument) for argument in arguments if argument is not Ellipsis]

    def convert(value: Any) -> tuple[Any, ...]:
        items = []
        for index, item in enumerate(_listed(hint, value)):
            if index >= len(plans) and not open_ended:
                raise Mismatch(f"expected {len(plans)} values for {type_text(hint)}, got {value_text(value)}")
            try:
                items.append(plans[min(index, len(plans) - 1)](item))
            except Mismatch as mismatch:
                mismatch.inside(index)
                raise
        return tuple(items)

    return convert


_REBUILT: tuple[type, ...] = (set, frozenset, collections.deque)


def _iterable_plan(maker: PlanMaker, hint: Any, origin: type, arguments: tuple[Any, ...]) -> Plan:
    """Sets and deques are rebuilt; every other iterable type is given as a list."""
    rebuild = origin if origin in _REBUILT else None
    item_hint = arguments[0] if arguments and not isinstance(arguments[0], TypeVar) else None
    if item_hint is Ellipsis:
        item_hint = None
    plan = None if item_hint is None else maker.plan(item_hint)

    def convert(value: Any) -> Any:
        items = _listed(hint, value)
        if plan is not None:
            typed: list[Any] = []
            try:
                for item in items:
                    typed.append(plan(item))  # noqa: PERF401 - the length tells the index of the failing item
            except Mismatch as mismatch:
                mismatch.inside(len(typed))
                raise
            items = typed
        elif rebuild is None:
            return list(items)
        return items if rebuild is None else _call(rebuild, items)

    return convert
