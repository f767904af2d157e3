"""Typed search attributes: keys, values, updates and collections of them.

Public under ``durable_nb.common``. How they become payloads is told by ``converter``. A key is equal to another when
name and type are. Source: temporal-semantics 3.12.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from itertools import pairwise
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, get_origin, overload

import msgspec

SearchAttributeValues: TypeAlias = list[str] | list[int] | list[float] | list[bool] | list[datetime]
"""Values of one attribute in the old untyped form: always a list."""

SearchAttributes: TypeAlias = Mapping[str, SearchAttributeValues]
"""The old untyped form."""

SearchAttributeValue: TypeAlias = str | int | float | bool | datetime | Sequence[str]

SearchAttributeValueType = TypeVar("SearchAttributeValueType", str, int, float, bool, datetime, Sequence[str])

_Default = TypeVar("_Default")


class SearchAttributeIndexedValueType(IntEnum):
    """Index type of an attribute."""

    TEXT = 1
    KEYWORD = 2
    INT = 3
    DOUBLE = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7

    @property
    def metadata_name(self) -> str:
        """Spelling in the ``type`` metadata of a payload: ``KeywordList``."""
        return "".join(word.capitalize() for word in self.name.split("_"))


_VALUE_TYPES: dict[SearchAttributeIndexedValueType, Any] = {
    SearchAttributeIndexedValueType.TEXT: str,
    SearchAttributeIndexedValueType.KEYWORD: str,
    SearchAttributeIndexedValueType.INT: int,
    SearchAttributeIndexedValueType.DOUBLE: float,
    SearchAttributeIndexedValueType.BOOL: bool,
    SearchAttributeIndexedValueType.DATETIME: datetime,
    SearchAttributeIndexedValueType.KEYWORD_LIST: Sequence[str],
}
_BY_METADATA_NAME = {
    spelling: kind
    for kind in SearchAttributeIndexedValueType
    for spelling in (kind.metadata_name, f"INDEXED_VALUE_TYPE_{kind.name}")
}


class SearchAttributeKey(msgspec.Struct, Generic[SearchAttributeValueType], frozen=True):
    """Name and type of a search attribute; made by one of the ``for_…`` methods."""

    name: str
    indexed_value_type: SearchAttributeIndexedValueType

    @property
    def value_type(self) -> type[SearchAttributeValueType]:
        """Python type of the values; ``Sequence[str]`` for keyword lists."""
        return _VALUE_TYPES[self.indexed_value_type]  # type: ignore[no-any-return]

    @property
    def origin_value_type(self) -> type:
        """``value_type`` without its parameters, fit for ``isinstance``."""
        return get_origin(self.value_type) or self.value_type

    def value_set(self, value: SearchAttributeValueType) -> SearchAttributeUpdate[SearchAttributeValueType]:
        """An update that sets the attribute."""
        return SearchAttributeUpdate(self, value)

    def value_unset(self) -> SearchAttributeUpdate[SearchAttributeValueType]:
        """An update that removes the attribute."""
        return SearchAttributeUpdate(self, None)

    @staticmethod
    def for_text(name: str) -> SearchAttributeKey[str]:
        """A key for text that is searched by word."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.TEXT)

    @staticmethod
    def for_keyword(name: str) -> SearchAttributeKey[str]:
        """A key for a string that is matched as a whole."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.KEYWORD)

    @staticmethod
    def for_int(name: str) -> SearchAttributeKey[int]:
        """A key for integers."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.INT)

    @staticmethod
    def for_float(name: str) -> SearchAttributeKey[float]:
        """A key for floats."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.DOUBLE)

    @staticmethod
    def for_bool(name: str) -> SearchAttributeKey[bool]:
        """A key for booleans."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.BOOL)

    @staticmethod
    def for_datetime(name: str) -> SearchAttributeKey[datetime]:
        """A key for instants; values must carry a time zone."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.DATETIME)

    @staticmethod
    def for_keyword_list(name: str) -> SearchAttributeKey[Sequence[str]]:
        """A key for several keywords."""
        return SearchAttributeKey(name, SearchAttributeIndexedValueType.KEYWORD_LIST)

    @staticmethod
    def from_metadata_type(name: str, metadata_type: str) -> SearchAttributeKey[Any] | None:
        """Key for the ``type`` metadata of a payload, None when that type is unknown."""
        kind = _BY_METADATA_NAME.get(metadata_type)
        return None if kind is None else SearchAttributeKey(name, kind)

    @staticmethod
    def guess_from_values(name: str, values: SearchAttributeValues) -> SearchAttributeKey[Any] | None:
        """Key that fits untyped values; None for an empty list or several values that are not strings."""
        if not values:
            return None
        first = values[0]
        if len(values) > 1:
            return SearchAttributeKey.for_keyword_list(name) if isinstance(first, str) else None
        if isinstance(first, str):
            return SearchAttributeKey.for_keyword(name)
        if isinstance(first, bool):  # before int, of which bool is a subclass
            return SearchAttributeKey.for_bool(name)
        if isinstance(first, int):
            return SearchAttributeKey.for_int(name)
        if isinstance(first, float):
            return SearchAttributeKey.for_float(name)
        return SearchAttributeKey.for_datetime(name) if isinstance(first, datetime) else None


class SearchAttributePair(NamedTuple, Generic[SearchAttributeValueType]):
    """A key and its value."""

    key: SearchAttributeKey[SearchAttributeValueType]
    value: SearchAttributeValueType


class SearchAttributeUpdate(msgspec.Struct, Generic[SearchAttributeValueType], frozen=True):
    """A change of one attribute; made by ``SearchAttributeKey.value_set`` and ``value_unset``."""

    key: SearchAttributeKey[SearchAttributeValueType]
    value: SearchAttributeValueType | None
    """None removes the attribute."""


@dataclass(frozen=True)
class TypedSearchAttributes(Collection[SearchAttributePair[Any]]):
    """An immutable collection of pairs, sorted by name of key.

    Raises
    ------
    ValueError
        Two pairs have keys of the same name.
    """

    search_attributes: Sequence[SearchAttributePair[Any]]
    """The pairs. Not to be changed; use ``updated``."""

    empty: ClassVar[TypedSearchAttributes]
    """The collection with nothing in it."""

    def __post_init__(self) -> None:
        pairs = sorted(self.search_attributes, key=lambda pair: pair.key.name)
        for before, after in pairwise(pairs):
            if before.key.name == after.key.name:
                raise ValueError(f"Duplicate search attribute entries found for key {after.key.name}")
        object.__setattr__(self, "search_attributes", pairs)

    def __len__(self) -> int:
        return len(self.search_attributes)

    def __iter__(self) -> Iterator[SearchAttributePair[Any]]:
        return iter(self.search_attributes)

    def __contains__(self, key: object) -> bool:
        """Whether there is a pair with that key: same name and same type."""
        return any(pair.key == key for pair in self.search_attributes)

    def __getitem__(self, key: SearchAttributeKey[SearchAttributeValueType]) -> SearchAttributeValueType:
        """Value of a key; KeyError when it is not there."""
        for pair in self.search_attributes:
            if pair.key == key and pair.value is not None:
                return pair.value  # type: ignore[no-any-return]
        raise KeyError(key)

    @overload
    def get(self, key: SearchAttributeKey[SearchAttributeValueType]) -> SearchAttributeValueType | None: ...

    @overload
    def get(
        self, key: SearchAttributeKey[SearchAttributeValueType], default: _Default
    ) -> SearchAttributeValueType | _Default: ...

    def get(self, key: SearchAttributeKey[Any], default: Any = None) -> Any:
        """Value of a key, or ``default``."""
        try:
            return self[key]
        except KeyError:
            return default

    def updated(self, *search_attributes: SearchAttributePair[Any]) -> TypedSearchAttributes:
        """A copy with these pairs added; they replace pairs whose key has the same name."""
        by_name = {pair.key.name: pair for pair in self.search_attributes}
        by_name.update((pair.key.name, pair) for pair in search_attributes)
        return TypedSearchAttributes(list(by_name.values()))


TypedSearchAttributes.empty = TypedSearchAttributes([])
