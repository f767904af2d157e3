"""Values to payloads and back, with a coroutine-free path where no codec is set.

A codec is the only part of a converter that may have to wait, so each function goes through the async converter
only where there is one (temporal-semantics section 5).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.model.attributes import UserMetadata
from durable_nb.model.failure import Failure

if TYPE_CHECKING:
    from durable_nb.converter import DataConverter
    from durable_nb.model.payload import Payload


async def encode(converter: DataConverter, values: Sequence[Any]) -> list[Payload]:
    """One payload per value."""
    if converter.payload_codec is None:
        return converter.payload_converter.to_payloads(values)
    return await converter.encode(values)


async def decode(
    converter: DataConverter, payloads: Sequence[Payload] | None, hints: list[type] | None = None
) -> list[Any]:
    """Values of ``payloads``; none for None."""
    if not payloads:
        return []
    if converter.payload_codec is None:
        return converter.payload_converter.from_payloads(payloads, hints)
    return await converter.decode(payloads, hints)


async def decode_one(converter: DataConverter, payloads: Sequence[Payload] | None, hint: type | None, what: str) -> Any:
    """The only value among ``payloads``, or None where there is none; warns where there are several."""
    if not payloads:
        return None
    # A hint is for one payload; with another number of them it may belong to any.
    values = await decode(converter, payloads, [hint] if hint is not None and len(payloads) == 1 else None)
    if len(values) > 1:
        warnings.warn(f"Expected single {what}, got {len(values)}", stacklevel=4)
    return values[0] if values else None


async def encode_failure(converter: DataConverter, error: BaseException) -> Failure:
    """Failure record of an exception."""
    failure = Failure()
    if converter.payload_codec is None:
        converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    else:
        await converter.encode_failure(error, failure)
    return failure


async def decode_failure(converter: DataConverter, failure: Failure | None) -> BaseException:
    """Exception of a failure record."""
    if failure is None:
        failure = Failure(message="no failure recorded")
    if converter.payload_codec is None:
        return converter.failure_converter.from_failure(failure, converter.payload_converter)
    return await converter.decode_failure(failure)


async def encode_fields(converter: DataConverter, values: Mapping[str, Any]) -> dict[str, Payload]:
    """A memo: one payload per key."""
    return {key: (await encode(converter, (value,)))[0] for key, value in values.items()}


async def encode_metadata(converter: DataConverter, summary: str | None, details: str | None) -> UserMetadata | None:
    """Summary and details of a run; None where neither is given."""
    if summary is None and details is None:
        return None
    return UserMetadata(
        summary=None if summary is None else (await encode(converter, (summary,)))[0],
        details=None if details is None else (await encode(converter, (details,)))[0],
    )
