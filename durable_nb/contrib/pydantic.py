"""Data converter for pydantic models (pydantic 2).

Models, and every type that pydantic knows, are written by ``pydantic_core.to_json`` and validated on the way back.
Give it to the client::

    client = await Client.connect(url, data_converter=pydantic_data_converter)
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer, to_json
from pydantic_core.core_schema import any_schema

from durable_nb.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)
from durable_nb.converter.mismatch import type_text
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.model.payload import Payload

__all__ = [
    "PydanticJSONPlainPayloadConverter",
    "PydanticPayloadConverter",
    "ToJsonOptions",
    "pydantic_data_converter",
]


@dataclass
class ToJsonOptions:
    """How models are written."""

    exclude_unset: bool = False
    """Leave out fields that were not set explicitly."""


class PydanticJSONPlainPayloadConverter(EncodingPayloadConverter):
    """``json/plain`` by pydantic.

    Parameters
    ----------
    to_json_options
        How to write; None for pydantic's defaults.
    max_cached_type_adapters
        Type hints whose validator is kept: the least recently used one goes first. None for no limit, 0 for none.
    """

    sure_types = frozenset({str, int, float, bool, list, dict, tuple})
    passed_types = frozenset()

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        if max_cached_type_adapters is not None and max_cached_type_adapters < 0:
            raise ValueError("max_cached_type_adapters cannot be negative")
        self._to_json_options = to_json_options
        self._max_cached = max_cached_type_adapters
        self._prepare()

    def _prepare(self) -> None:
        self._schema_serializer = SchemaSerializer(any_schema())
        self._type_adapter = functools.lru_cache(maxsize=self._max_cached)(TypeAdapter)

    def __getstate__(self) -> dict[str, Any]:
        return {"_to_json_options": self._to_json_options, "_max_cached": self._max_cached}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    @property
    def encoding(self) -> str:
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """The value as pydantic writes it; PayloadEncodeError when pydantic does not know its type."""
        try:
            if self._to_json_options is None:
                data = to_json(value)
            else:
                data = self._schema_serializer.to_json(value, exclude_unset=self._to_json_options.exclude_unset)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise PayloadEncodeError(
                f"$: pydantic cannot write this {type(value).__name__}: {error}",
                fix="use types that pydantic knows, or give the model a serializer",
            ) from error
        return Payload({"encoding": b"json/plain"}, data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value, validated as the hint asks.

        Raises
        ------
        PayloadDecodeError
            DNB402: the JSON does not validate; pydantic's ValidationError, which names the fields, is the cause.
        """
        hint: Any = Any if type_hint is None else type_hint
        try:
            return self._adapter(hint).validate_json(payload.data)
        except ValidationError as error:
            raise PayloadDecodeError(
                f"a stored value does not validate as {type_text(hint)}: {error}",
                fix="change the model to what was stored, or give the new fields defaults",
            ) from error

    def _adapter(self, hint: Any) -> TypeAdapter[Any]:
        try:
            hash(hint)
        except TypeError:  # Annotated with a list, for instance: cannot be cached
            return TypeAdapter(hint)
        return self._type_adapter(hint)


class PydanticPayloadConverter(CompositePayloadConverter):
    """The default converter with its JSON part done by pydantic.

    For other options than the defaults, derive a class whose ``__init__`` takes no arguments and hands them on.
    """

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        json_converter = PydanticJSONPlainPayloadConverter(
            to_json_options, max_cached_type_adapters=max_cached_type_adapters
        )
        super().__init__(
            *(
                json_converter if isinstance(each, JSONPlainPayloadConverter) else each
                for each in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


pydantic_data_converter = DataConverter(payload_converter_class=PydanticPayloadConverter)
"""Data converter for pydantic models; give it to ``Client.connect``."""
