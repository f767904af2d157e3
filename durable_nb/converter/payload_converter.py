"""Base classes: converters of lists of values, converters of one encoding, and their composition.

A *payload converter* maps values to payloads and back, synchronously and without I/O, because workflow code calls it.
Encryption and compression are the codec's (``codec``). Source: temporal-semantics section 5.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, overload

from durable_nb.api.common.v1 import Payloads
from durable_nb.converter.context import SerializationContext, WithSerializationContext
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError, UnknownEncodingError
from durable_nb.model.payload import Payload, as_payload
from durable_nb.policies import RawValue

T = TypeVar("T")


class PayloadConverter(ABC):
    """Converts values to payloads and back."""

    default: ClassVar[PayloadConverter]
    """The converter of ``DataConverter.default``."""

    @abstractmethod
    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """One payload per value; a ``common.RawValue`` gives its own payload.

        Raises
        ------
        PayloadEncodeError
            DNB401: a value cannot be encoded; names the path inside it.
        """
        raise NotImplementedError

    @abstractmethod
    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """One value per payload.

        Parameters
        ----------
        payloads
            What ``to_payloads`` gave.
        type_hints
            None, or one hint per payload; ``common.RawValue`` asks for the payload itself.

        Raises
        ------
        PayloadDecodeError
            DNB402: a payload cannot be decoded, or its value does not fit the hint.
        UnknownEncodingError
            DNB403: nothing here knows the payload's encoding.
        """
        raise NotImplementedError

    def to_payloads_wrapper(self, values: Sequence[Any]) -> Payloads:
        """``to_payloads`` in a ``Payloads`` message."""
        return Payloads(self.to_payloads(values))

    def from_payloads_wrapper(self, payloads: Payloads | None) -> list[Any]:
        """``from_payloads`` of a ``Payloads`` message; an empty list for None."""
        if payloads is None or not payloads.payloads:
            return []
        return self.from_payloads(payloads.payloads)

    def to_payload(self, value: Any) -> Payload:
        """The payload of one value."""
        return self.to_payloads([value])[0]

    @overload
    def from_payload(self, payload: Payload, type_hint: None = None) -> Any: ...

    @overload
    def from_payload(self, payload: Payload, type_hint: type[T]) -> T: ...

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value of one payload."""
        return self.from_payloads([payload], None if type_hint is None else [type_hint])[0]


class EncodingPayloadConverter(ABC):
    """Converts values of one encoding; part of a ``CompositePayloadConverter``."""

    @property
    @abstractmethod
    def encoding(self) -> str:
        """Value of the ``encoding`` metadata."""
        raise NotImplementedError

    @abstractmethod
    def to_payload(self, value: Any) -> Payload | None:
        """The payload, or None when this encoding is not for such values."""
        raise NotImplementedError

    @abstractmethod
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value of a payload that has this encoding."""
        raise NotImplementedError

    sure_types: ClassVar[frozenset[type]] = frozenset()
    """Exact types that ``to_payload`` of this very class takes, always; lets a composite go straight to it."""

    passed_types: ClassVar[frozenset[type]] = frozenset()
    """Exact types that ``to_payload`` of this very class leaves to others, always."""


class CompositePayloadConverter(PayloadConverter, WithSerializationContext):
    """Asks several encodings in order; the first that takes a value encodes it.

    Decoding goes by the payload's ``encoding`` metadata. An encoding added by a user must stand before
    ``json/plain``, which takes everything or raises.
    """

    converters: Mapping[bytes, EncodingPayloadConverter]
    """By encoding, in order."""

    def __init__(self, *converters: EncodingPayloadConverter) -> None:
        self._set_converters(*converters)

    def _set_converters(self, *converters: EncodingPayloadConverter) -> None:
        self.converters = {converter.encoding.encode(): converter for converter in converters}
        self._shortcuts: dict[type, Callable[[Any], Payload | None]] = {}
        self._shortcuts_of: object = None

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        if self._shortcuts_of is not self.converters:
            self._shortcuts, self._shortcuts_of = _shortcuts(self.converters), self.converters
        shortcuts = self._shortcuts
        payloads = []
        for index, value in enumerate(values):
            shortcut = shortcuts.get(type(value))
            try:
                payload = self._encode(value) if shortcut is None else shortcut(value)
            except PayloadEncodeError as error:
                if len(values) > 1 and not error.where:
                    error.where = f"value {index + 1} of {len(values)}"
                raise
            if payload is None:
                raise PayloadEncodeError(
                    f"value at index {index} of type {type(value).__name__} has no known converter",
                    fix="add an EncodingPayloadConverter that takes it",
                )
            payloads.append(payload)
        return payloads

    def _encode(self, value: Any) -> Payload | None:
        if isinstance(value, RawValue):
            return as_payload(value.payload)
        for converter in self.converters.values():
            payload = converter.to_payload(value)
            if payload is not None:
                return as_payload(payload)
        return None

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        hint_count = len(type_hints) if type_hints else 0
        values = []
        for index, payload in enumerate(payloads):
            hint = type_hints[index] if index < hint_count else None  # type: ignore[index]
            if hint is RawValue:
                values.append(RawValue(payload))
                continue
            encoding = payload.metadata.get("encoding", b"<unknown>")
            converter = self.converters.get(encoding)
            if converter is None:
                raise self._unknown_encoding(encoding, index)
            try:
                values.append(converter.from_payload(payload, hint))
            except PayloadDecodeError as error:
                if len(payloads) > 1 and not error.where:
                    error.where = f"value {index + 1} of {len(payloads)}, encoding {encoding.decode()}"
                raise
            except RuntimeError as error:
                raise PayloadDecodeError(
                    f"Payload at index {index} with encoding {encoding.decode()} could not be converted: {error}"
                ) from error
        return values

    def _unknown_encoding(self, encoding: bytes, index: int) -> UnknownEncodingError:
        known = ", ".join(each.decode() for each in self.converters)
        return UnknownEncodingError(
            f"Unknown payload encoding {encoding.decode(errors='replace')}",
            where=f"payload at index {index}; known here: {known}",
            fix="use the payload codec and data converter that wrote the value",
        )

    def with_context(self, context: SerializationContext) -> CompositePayloadConverter:
        """This converter with the context given to the encodings that want it; itself when none does."""
        converters = self.get_converters_with_context(context)
        if converters is None:
            return self
        copy = type(self)()  # subclasses that use contexts are made without arguments
        copy._set_converters(*converters)
        return copy

    def get_converters_with_context(self, context: SerializationContext) -> list[EncodingPayloadConverter] | None:
        """The encodings with the context given to those that want it; None when none changed."""
        changed = [
            converter.with_context(context) if isinstance(converter, WithSerializationContext) else converter
            for converter in self.converters.values()
        ]
        same = all(new is old for new, old in zip(changed, self.converters.values(), strict=True))
        return None if same else changed


def _shortcuts(
    converters: Mapping[bytes, EncodingPayloadConverter],
) -> dict[type, Callable[[Any], Payload | None]]:
    """For the commonest types, the encoder that the full search would find."""
    found: dict[type, Callable[[Any], Payload | None]] = {}
    open_types: frozenset[type] = frozenset({type(None), bytes, str, int, float, bool, list, dict, tuple})
    for converter in converters.values():
        definer: Any = next(cls for cls in type(converter).__mro__ if "to_payload" in vars(cls))
        if "passed_types" not in vars(definer):
            break  # made by a user: it may take anything
        for cls in definer.sure_types & open_types:
            found[cls] = converter.to_payload
        open_types &= definer.passed_types
    return found
