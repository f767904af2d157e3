"""``DataConverter``: payload converter, failure converter and codec together.

``encode`` and ``decode`` are coroutines because codecs are. Where there is no codec, the plain methods
(``to_payloads``, ``from_payloads``, ``to_failure``, ``from_failure``) do the whole work without one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from durable_nb.api.common.v1 import Payloads
from durable_nb.converter.codec import PayloadCodec, apply_codec, transform_failure
from durable_nb.converter.context import SerializationContext, WithSerializationContext
from durable_nb.converter.default_converter import DefaultPayloadConverter
from durable_nb.converter.failure_converter import DefaultFailureConverter, FailureConverter
from durable_nb.converter.payload_converter import PayloadConverter
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload


@dataclasses.dataclass(frozen=True)
class DataConverter(WithSerializationContext):
    """How values are stored.

    Notes
    -----
    Workflow code converts without the codec; client and worker apply it outside, to every payload but search
    attributes (temporal-semantics section 5).
    """

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    """Made without arguments."""

    payload_codec: PayloadCodec | None = None
    """Applied to payloads at rest; None leaves them readable."""

    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    """Made without arguments."""

    payload_converter: PayloadConverter = dataclasses.field(init=False)
    """The instance of ``payload_converter_class``."""

    failure_converter: FailureConverter = dataclasses.field(init=False)
    """The instance of ``failure_converter_class``."""

    default: ClassVar[DataConverter]
    """The converter used where none is named."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload_converter", self.payload_converter_class())
        object.__setattr__(self, "failure_converter", self.failure_converter_class())

    # -- without the codec -----------------------------------------------------------------------------------------

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Payloads of values, codec not applied."""
        return self.payload_converter.to_payloads(values)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Values of payloads to which no codec is applied; hints are dropped unless there is one per payload."""
        return self.payload_converter.from_payloads(payloads, matching_hints(type_hints, payloads))

    def to_failure(self, exception: BaseException) -> Failure:
        """Record of an exception, codec not applied."""
        failure = Failure()
        self.failure_converter.to_failure(exception, self.payload_converter, failure)
        return failure

    def from_failure(self, failure: Failure) -> BaseException:
        """Exception of a record to which no codec is applied."""
        return self.failure_converter.from_failure(failure, self.payload_converter)

    # -- with the codec --------------------------------------------------------------------------------------------

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Payloads of values, codec applied."""
        return await self.encode_payloads(self.payload_converter.to_payloads(values))

    async def decode(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Values of payloads to which the codec was applied."""
        return self.payload_converter.from_payloads(await self.decode_payloads(payloads), type_hints)

    async def encode_wrapper(self, values: Sequence[Any]) -> Payloads:
        """``encode`` into a ``Payloads`` message."""
        return Payloads(await self.encode(values))

    async def decode_wrapper(self, payloads: Payloads | None, type_hints: list[type] | None = None) -> list[Any]:
        """``decode`` of a ``Payloads`` message; an empty list for None."""
        if payloads is None or not payloads.payloads:
            return []
        return await self.decode(payloads.payloads, type_hints)

    async def encode_failure(self, exception: BaseException, failure: Failure) -> None:
        """Fill ``failure`` from an exception, codec applied."""
        self.failure_converter.to_failure(exception, self.payload_converter, failure)
        if self.payload_codec is not None:
            failure.CopyFrom(await transform_failure(failure, self.payload_codec.encode))

    async def decode_failure(self, failure: Failure) -> BaseException:
        """Exception of a record to which the codec was applied; the record is left alone."""
        return self.from_failure(await self.decode_failure_payloads(failure))

    # -- the codec alone -------------------------------------------------------------------------------------------

    async def encode_payloads(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads, codec applied."""
        if self.payload_codec is None:
            return list(payloads)
        return await apply_codec(self.payload_codec.encode, payloads)

    async def decode_payloads(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads, codec undone."""
        if self.payload_codec is None:
            return list(payloads)
        return await apply_codec(self.payload_codec.decode, payloads)

    async def encode_failure_payloads(self, failure: Failure) -> Failure:
        """A copy of the failure, codec applied to its payloads; the failure itself where there is no codec."""
        if self.payload_codec is None:
            return failure
        return await transform_failure(failure, self.payload_codec.encode)

    async def decode_failure_payloads(self, failure: Failure) -> Failure:
        """A copy of the failure, codec undone; the failure itself where there is no codec."""
        if self.payload_codec is None:
            return failure
        return await transform_failure(failure, self.payload_codec.decode)

    # -- contexts --------------------------------------------------------------------------------------------------

    def with_context(self, context: SerializationContext) -> DataConverter:
        """This converter with the context given to the parts that want it; itself when none does."""
        changed: dict[str, Any] = {}
        for name in ("payload_converter", "payload_codec", "failure_converter"):
            part = getattr(self, name)
            if isinstance(part, WithSerializationContext):
                told = part.with_context(context)
                if told is not part:
                    changed[name] = told
        if not changed:
            return self
        copy = dataclasses.replace(self)
        for name, part in {
            "payload_converter": self.payload_converter,
            "failure_converter": self.failure_converter,
            **changed,
        }.items():
            object.__setattr__(copy, name, part)
        return copy


def matching_hints(type_hints: Sequence[Any] | None, payloads: Sequence[Payload]) -> list[Any] | None:
    """The hints when there is exactly one per payload, else None: a shifted hint is worse than none.

    Source: temporal-semantics section 5.
    """
    if not type_hints or len(type_hints) != len(payloads):
        return None
    return list(type_hints)


DataConverter.default = DataConverter()
PayloadConverter.default = DataConverter.default.payload_converter
FailureConverter.default = DataConverter.default.failure_converter
