"""``DataclassLike``, ``FrozenDataclassLike``: structs that the functions of ``dataclasses`` take.

A struct costs a tenth of a dataclass to make when the package is imported, and less to fill. Invariant: what programs
do with a dataclass of the Temporal Python SDK works on the struct in its place: ``dataclasses.replace``, ``fields``,
``asdict`` and ``is_dataclass``, ``vars`` (a copy), attributes of one's own on an instance, weak references. A derived
class is a struct too: it takes no decorator.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

_stand_ins: WeakKeyDictionary[type, type] = WeakKeyDictionary()


class _FromStandIn:
    """An attribute that dataclasses have, taken from a dataclass made when somebody first asks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[msgspec.Struct]) -> Any:
        made = _stand_ins.get(owner)
        if made is None:
            made = _stand_ins[owner] = _stand_in(owner)
        return getattr(made, self._name)


class _WithRoom(msgspec.Struct, dict=True, weakref=True):
    """A struct with a place for attributes that are no fields."""


class DataclassLike(_WithRoom):
    """Base of structs that pass for dataclasses."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    else:
        __dataclass_fields__ = _FromStandIn("__dataclass_fields__")
        __dataclass_params__ = _FromStandIn("__dataclass_params__")

        @property
        def __dict__(self) -> dict[str, Any]:
            return _fields(self) | _added(self)


class FrozenDataclassLike(msgspec.Struct, frozen=True, weakref=True):
    """Base of structs that pass for frozen dataclasses. Changing one is an ``AttributeError``."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    else:
        __dataclass_fields__ = _FromStandIn("__dataclass_fields__")
        __dataclass_params__ = _FromStandIn("__dataclass_params__")

        @property
        def __dict__(self) -> dict[str, Any]:
            return _fields(self)


_added: Callable[[Any], dict[str, Any]] = vars(_WithRoom)["__dict__"].__get__


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _stand_in(cls: type[msgspec.Struct]) -> type:
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        hints |= inspect.get_annotations(base)
    names = cls.__struct_fields__
    defaults = (msgspec.NODEFAULT,) * (len(names) - len(cls.__struct_defaults__)) + cls.__struct_defaults__
    positional = frozenset(cls.__match_args__)
    specified = [
        (name, hints[name], _field(default, name not in positional))
        for name, default in zip(names, defaults, strict=True)
    ]
    return dataclasses.make_dataclass(cls.__name__, specified, frozen=cls.__struct_config__.frozen)


def _field(default: Any, kw_only: bool) -> Any:
    if default is msgspec.NODEFAULT:
        return dataclasses.field(kw_only=kw_only)
    factory = getattr(default, "factory", None)
    if factory is not None:
        return dataclasses.field(default_factory=factory, kw_only=kw_only)
    return dataclasses.field(default=default, kw_only=kw_only)
