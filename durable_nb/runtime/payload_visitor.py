"""Applies a function to every payload of workflow tasks, completions and queries: where codecs come in.

Search attributes are left out, because the store must be able to compare them; headers are visited only on request.
What carries no payload is not copied, and nothing given is changed, for events may be shared. Which fields of an
event hold payloads follows from their annotations and is worked out once per class.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec.structs import replace

from durable_nb.model.attributes import Attributes, MarkerRecorded
from durable_nb.model.payload import Payload

Visit = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]
"""Gets payloads that belong together, gives those to put in their place."""


async def visit_payloads(value: Any, visit: Visit, *, headers: bool = False) -> Any:
    """``value`` with the payloads that ``visit`` makes of those in it; ``value`` itself where there are none.

    Parameters
    ----------
    value
        A workflow task, a completion or other outcome of one, a query, its answer, an event, a failure.
    visit
        Called with one or more payloads at a time: the arguments of one call together.
    headers
        Visit headers as well.
    """
    return await _Visitor(visit, headers).visit(value)


class _Visitor:
    def __init__(self, visit: Visit, headers: bool) -> None:
        self._visit = visit
        self._headers = headers

    async def visit(self, value: Any) -> Any:
        if isinstance(value, Payload):
            return (await self._visit([value]))[0]
        if isinstance(value, list):
            return await self._list(value)
        if isinstance(value, dict):
            return await self._dict(value)
        if isinstance(value, msgspec.Struct):
            return await self._struct(value)
        return value

    async def _list(self, values: list[Any]) -> list[Any]:
        if not values:
            return values
        if isinstance(values[0], Payload):
            return await self._visit(values)
        changed = [await self.visit(each) for each in values]
        same = all(new is old for new, old in zip(changed, values, strict=True))
        return values if same else changed

    async def _dict(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: await self.visit(each) for name, each in values.items()} if values else values

    async def _marker(self, details: dict[str, Any]) -> dict[str, Any]:
        """The runtime's own data stays readable, for replays everywhere; only the result is a user's value."""
        if "result" not in details:
            return details
        return {**details, "result": await self.visit(details["result"])}

    async def _struct(self, value: msgspec.Struct) -> Any:
        changed: dict[str, Any] = {}
        for name in _fields(type(value)):
            if name == "header" and not self._headers:
                continue
            before = getattr(value, name)
            if not before:
                continue
            if name == "details" and isinstance(value, MarkerRecorded):
                after = await self._marker(before)
            else:
                after = await self.visit(before)
            if after is not before:
                changed[name] = after
        return replace(value, **changed) if changed else value


_known: dict[type, tuple[str, ...]] = {Payload: ()}


def _fields(cls: type) -> tuple[str, ...]:
    """Names of the fields of a struct in which there may be payloads."""
    found = _known.get(cls)
    if found is None:
        _known[cls] = ("",)  # a struct that contains itself holds payloads if another field does
        hints = get_type_hints(cls)
        names = cls.__struct_fields__  # type: ignore[attr-defined]
        found = _known[cls] = tuple(
            name for name in names if name != "search_attributes" and _holds_payloads(hints.get(name))
        )
    return found


def _holds_payloads(hint: Any) -> bool:
    if hint in (Payload, Attributes, list, dict):
        return True  # Attributes stands for all its subclasses; two fields of LocalActivityRequest are left open.
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return bool(_fields(hint))
    return any(_holds_payloads(each) for each in get_args(hint))
