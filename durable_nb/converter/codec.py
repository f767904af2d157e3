"""Payload codecs: encryption or compression of encoded values, applied outside workflow code.

``DataConverter`` applies the codec; here are the base class and the walk over the payloads of a failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from durable_nb.api.common.v1 import Payloads
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload, as_payload

Transform = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]
"""One of a codec's two methods."""


class PayloadCodec(ABC):
    """Turns payloads into other payloads and back."""

    @abstractmethod
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encoded payloads; at least one, at most as many as given. The given ones must not be changed."""
        raise NotImplementedError

    @abstractmethod
    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What ``encode`` was given."""
        raise NotImplementedError

    async def encode_wrapper(self, payloads: Payloads) -> None:
        """``encode`` in place, for a ``Payloads`` message."""
        payloads.payloads = _own(await self.encode(payloads.payloads))

    async def decode_wrapper(self, payloads: Payloads) -> None:
        """``decode`` in place, for a ``Payloads`` message."""
        payloads.payloads = _own(await self.decode(payloads.payloads))

    async def encode_failure(self, failure: Failure) -> None:
        """Encode all payloads of a failure and of its causes, in place."""
        failure.CopyFrom(await transform_failure(failure, self.encode))

    async def decode_failure(self, failure: Failure) -> None:
        """Decode all payloads of a failure and of its causes, in place."""
        failure.CopyFrom(await transform_failure(failure, self.decode))


def _own(payloads: Sequence[Payload]) -> list[Payload]:
    """Payloads of this package; a codec may give Temporal's."""
    return [as_payload(payload) for payload in payloads]


async def apply_codec(transform: Transform, payloads: Sequence[Payload]) -> list[Payload]:
    """What one of a codec's two methods makes of a list of payloads."""
    return _own(await transform(payloads))


async def transform_failure(failure: Failure, transform: Transform) -> Failure:
    """A copy of a failure, one method of a codec applied to every payload in it and in its causes.

    These are encoded attributes, details of ApplicationError and CancelledError, and last heartbeat details. The
    given failure is left alone, for it may be part of an event or of an exception.
    """
    changed = replace(failure)
    if failure.encoded_attributes is not None:
        changed.encoded_attributes = (await apply_codec(transform, [failure.encoded_attributes]))[0]
    application, timeout, canceled = (
        failure.application_failure_info,
        failure.timeout_failure_info,
        failure.canceled_failure_info,
    )
    if application is not None and application.details is not None:
        details = await apply_codec(transform, application.details)
        changed.application_failure_info = replace(application, details=details)
    elif timeout is not None and timeout.last_heartbeat_details is not None:
        details = await apply_codec(transform, timeout.last_heartbeat_details)
        changed.timeout_failure_info = replace(timeout, last_heartbeat_details=details)
    elif canceled is not None and canceled.details is not None:
        changed.canceled_failure_info = replace(canceled, details=await apply_codec(transform, canceled.details))
    if failure.cause is not None:
        changed.cause = await transform_failure(failure.cause, transform)
    return changed
