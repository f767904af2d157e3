"""From what ``json.loads`` gives to what a type hint asks for.

A hint is compiled once into a function (its *plan*) and kept; converting a value then costs a call, not an
inspection of the hint. Rules: temporal-semantics section 5; where Temporal's converter accepts a value, the result
here is the same. Beyond it, ``object``, type variables, ``Annotated``, ``Final``, named tuples, generic dataclasses,
string subclasses and NumPy scalars are converted instead of refused. Plans of classes and containers are in
``type_plans``.

Invariant: plans are found by the identity of the hint, because hints that compare equal (``int | float`` and
``float | int``) may convert differently.
"""

from __future__ import annotations

import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, NewType, TypeVar, Union

from durable_nb.converter.mismatch import Mismatch, decode_error, expected, type_text, value_text
from durable_nb.converter.type_plans import class_plan

Plan = Callable[[Any], Any]
MAXIMUM_PLANS = 4096
"""Plans kept; hints made anew at each call must not pile up."""

JSONTypeConverterUnhandled = NewType("JSONTypeConverterUnhandled", object)
"""Type of ``JSONTypeConverter.Unhandled``."""


class JSONTypeConverter(ABC):
    """Converts decoded JSON to types that the default rules do not know."""

    Unhandled: ClassVar[JSONTypeConverterUnhandled] = JSONTypeConverterUnhandled(object())
    """What ``to_typed_value`` returns for hints that it leaves to others."""

    @abstractmethod
    def to_typed_value(self, hint: type, value: Any) -> Any | JSONTypeConverterUnhandled | None:
        """The value as ``hint`` asks, or ``Unhandled``.

        ``value`` is what ``json.loads`` gives: a scalar, list or dict. Called for nested hints as well.
        """
        raise NotImplementedError


class TypePlans:
    """Compiled hints, for one list of custom converters."""

    def __init__(self, custom_converters: Sequence[JSONTypeConverter] = ()) -> None:
        self._custom_converters = custom_converters
        self._plans: dict[int, tuple[Any, Plan]] = {}  # by id; the hint is kept so that its id stays taken

    def convert(self, hint: Any, value: Any) -> Any:
        """The value as the hint asks.

        Raises
        ------
        PayloadDecodeError
            DNB402, also a TypeError: names the hint, the path inside the value, and what was found there.
        """
        found = self._plans.get(id(hint))
        plan = self.plan(hint) if found is None else found[1]
        try:
            return plan(value)
        except Mismatch as mismatch:
            raise decode_error(mismatch, hint) from mismatch.__cause__

    def plan(self, hint: Any) -> Plan:
        """The plan of a hint; it raises ``Mismatch``."""
        found = self._plans.get(id(hint))
        if found is not None:
            return found[1]
        plan = self._build(hint)
        if self._custom_converters:
            plan = self._with_custom(hint, plan)
        if len(self._plans) >= MAXIMUM_PLANS:
            self._plans.clear()
        self._plans[id(hint)] = (hint, plan)
        return plan

    def _with_custom(self, hint: Any, plan: Plan) -> Plan:
        converters, unhandled = self._custom_converters, JSONTypeConverter.Unhandled

        def convert(value: Any) -> Any:
            for converter in converters:
                typed = converter.to_typed_value(hint, value)
                if typed is not unhandled:
                    return typed
            return plan(value)

        return convert

    def _build(self, hint: Any) -> Plan:
        simple = _SIMPLE.get(hint) if isinstance(hint, type) or hint is Any or hint is None else None
        if simple is not None:
            return simple
        if isinstance(hint, TypeVar):
            return _as_is
        inner = getattr(hint, "__supertype__", None)  # NewType
        if inner is not None:
            return self.plan(inner)
        origin = getattr(hint, "__origin__", hint)
        if type(origin).__name__ == "TypeAliasType":  # ``type X = …``, or that of typing_extensions
            return self._alias_plan(hint, origin)
        if hasattr(hint, "__metadata__"):  # Annotated[X, …]
            return self.plan(origin)
        arguments: tuple[Any, ...] = getattr(hint, "__args__", ())
        if origin is Final and arguments:
            return self.plan(arguments[0])
        if origin is Literal:
            return _literal_plan(arguments)
        if origin is Union or isinstance(origin, types.UnionType):
            return self._union_plan(hint, arguments)
        plan = class_plan(self, hint, origin, arguments)
        return _refuse(hint) if plan is None else plan

    def _alias_plan(self, hint: Any, alias: Any) -> Plan:
        # Made on the first value: the alias may name itself, or what is defined only later.
        made: list[tuple[Plan, frozenset[type]]] = []

        def convert(value: Any) -> Any:
            if not made:
                inner = _aliased(hint, alias)
                made[:] = [(self.plan(inner), _scalars_of(inner))]
            plan, scalars = made[0]
            return value if type(value) in scalars else plan(value)

        return convert

    def _union_plan(self, hint: Any, members: tuple[Any, ...]) -> Plan:
        none_fits = type(None) in members and not self._custom_converters
        # Made on the first value: a union may name a class whose own plan is being built.
        plans: list[Plan] = []

        def convert(value: Any) -> Any:
            if value is None and none_fits:
                return None
            if not plans:
                plans[:] = [self.plan(member) for member in members]  # at once: other threads must not see a part
            for plan in plans:
                try:
                    return plan(value)
                except Exception:  # noqa: S112 - the next member may fit
                    continue
            raise Mismatch(f"{value_text(value)} fits no member of {type_text(hint)}")

        return convert


def _aliased(hint: Any, alias: Any) -> Any:
    """What an alias stands for, with the arguments of ``hint`` in the places of its parameters."""
    try:
        inner = alias.__value__
    except NameError as error:
        raise Mismatch(f"the type alias {alias} cannot be resolved: {error}") from error
    parameters, arguments = alias.__type_params__, getattr(hint, "__args__", ())
    if isinstance(inner, TypeVar):
        return dict(zip(parameters, arguments, strict=False)).get(inner, inner)
    wanted = getattr(inner, "__parameters__", ())
    if not arguments or not wanted:
        return inner
    if wanted == parameters:
        return inner[arguments]
    given = dict(zip(parameters, arguments, strict=False))
    return inner[tuple(given.get(each, each) for each in wanted)]


def _scalars_of(hint: Any) -> frozenset[type]:
    """Scalar members of a union.

    In an alias they are themselves. Elsewhere the first member that takes a value has it, as in Temporal's converter,
    which knows no aliases; in a recursive one (JSON's own) text would be a list, its characters lists again, and so on.
    """
    is_union = isinstance(hint, types.UnionType) or getattr(hint, "__origin__", None) is Union
    members = hint.__args__ if is_union else ()
    return frozenset(each for each in members if each in (str, int, float, bool, type(None)))


def _as_is(value: Any) -> Any:
    return value


def _to_int(value: Any) -> int:
    if type(value) is int:
        return value
    if not isinstance(value, (int, float)):
        raise expected(int, value)
    try:
        return int(value)
    except (ValueError, OverflowError) as error:
        raise expected(int, value) from error


def _to_float(value: Any) -> float:
    if type(value) is float:
        return value
    if not isinstance(value, (int, float)):
        raise expected(float, value)
    try:
        return float(value)
    except OverflowError as error:
        raise expected("a number in the range of float", value) from error


def _to_bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise expected(bool, value)


def _to_str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise expected(str, value)


def _to_bytes(value: Any) -> bytes:
    # JSON holds bytes as a list of numbers; a bare bytes value has an encoding of its own (binary/plain).
    if not isinstance(value, (bytes, list)):
        raise expected("bytes as a list of numbers", value)
    try:
        return bytes(value)
    except (TypeError, ValueError) as error:
        raise expected("bytes as a list of numbers from 0 to 255", value) from error


def _to_none(value: Any) -> None:
    if value is not None:
        raise expected("None", value)


def _to_datetime(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise expected("a datetime in ISO 8601", value) from error
    if isinstance(value, datetime):
        return value
    raise expected("a datetime in ISO 8601", value)


_SIMPLE: dict[Any, Plan] = {
    Any: _as_is,
    object: _as_is,
    int: _to_int,
    float: _to_float,
    bool: _to_bool,
    str: _to_str,
    bytes: _to_bytes,
    None: _to_none,
    type(None): _to_none,
    datetime: _to_datetime,
}


def _literal_plan(values: tuple[Any, ...]) -> Plan:
    def convert(value: Any) -> Any:
        if value not in values:
            raise expected(f"one of {', '.join(map(repr, values))}", value)
        return value

    return convert


def _refuse(hint: Any) -> Plan:
    def convert(value: Any) -> Any:
        raise Mismatch(
            f"values of type {type_text(hint)} cannot be made from JSON (got {value_text(value)}); use a dataclass, "
            "a standard type, a JSONTypeConverter, or contrib.pydantic.pydantic_data_converter"
        )

    return convert


_default_plans = TypePlans()


def value_to_type(hint: type, value: Any, custom_converters: Sequence[JSONTypeConverter] = ()) -> Any:
    """Convert what ``json.loads`` gives to a hinted type.

    Parameters
    ----------
    hint
        Type to convert to.
    value
        Scalar, list or dict.
    custom_converters
        Asked before the default rules, at every level; the first answer that is not ``Unhandled`` counts.

    Raises
    ------
    PayloadDecodeError
        DNB402, also a TypeError: the value does not fit.
    """
    plans = TypePlans(custom_converters) if custom_converters else _default_plans
    return plans.convert(hint, value)


def default_plans() -> TypePlans:
    """The plans without custom converters, shared by all who need no others."""
    return _default_plans


if typing.TYPE_CHECKING:
    # type_plans only needs something that makes plans; this keeps the two modules from importing one another.
    from durable_nb.converter.type_plans import PlanMaker

    _check: PlanMaker = TypePlans()
