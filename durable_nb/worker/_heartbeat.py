"""Throttling of heartbeats: many calls by the activity, few requests to the engine.

The first heartbeat is sent at once; after that the newest details go out once per interval (80 % of the heartbeat
timeout, else the worker's default, never more than its maximum). Older details are dropped. What is still held back
when the attempt ends goes out with its outcome. Source: temporal-semantics section 7.
Invariant: details are taken down when ``heartbeat()`` is called; changing the object afterwards changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from durable_nb.model.tasks import HeartbeatReply
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.converter import DataConverter
    from durable_nb.model.payload import Payload

logger = logging.getLogger("durable_nb.worker._activity")

SendHeartbeat = Callable[[bytes, "list[Payload]"], Awaitable[HeartbeatReply]]
"""Task token and details to the engine; its answer back."""

_IMMUTABLE = frozenset((int, str, float, bool, bytes, type(None)))
_NOTHING: Any = object()


class Timer(Protocol):
    """What ``loop.call_later`` returns."""

    def cancel(self) -> None: ...


class HeartbeatTiming(msgspec.Struct, frozen=True):
    """How often a worker lets heartbeats through, in seconds; ``call_later`` is the loop's unless a test gives one."""

    default_interval: float = 30.0
    max_interval: float = 60.0
    call_later: Callable[[float, Callable[[], None]], Timer] | None = None

    def interval(self, heartbeat_timeout_us: int) -> float:
        """Seconds between two heartbeats of an activity with this heartbeat timeout (0 for none)."""
        wanted = heartbeat_timeout_us * 0.8e-6 if heartbeat_timeout_us else self.default_interval
        return min(wanted, self.max_interval)


class HeartbeatThrottle:
    """The heartbeats of one attempt.

    ``beat`` may be called from any thread; everything else happens on the worker's loop.
    """

    __slots__ = (
        "_armed",
        "_converter",
        "_interval",
        "_loop",
        "_newest",
        "_on_error",
        "_on_reply",
        "_send",
        "_sending",
        "_timer",
        "_timing",
        "_token",
        "_unanswered",
    )

    def __init__(
        self,
        token: bytes,
        heartbeat_timeout_us: int,
        *,
        loop: asyncio.AbstractEventLoop,
        timing: HeartbeatTiming,
        converter: DataConverter,
        send: SendHeartbeat,
        on_reply: Callable[[HeartbeatReply], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._token = token
        self._loop = loop
        self._timing = timing
        self._interval = timing.interval(heartbeat_timeout_us)
        self._converter = converter
        self._send = send
        self._on_reply = on_reply
        self._on_error = on_error
        self._newest: Any = _NOTHING
        self._unanswered: Any = _NOTHING
        self._armed = False
        self._timer: Timer | None = None
        self._sending: asyncio.Task[None] | None = None

    def beat(self, details: tuple[Any, ...]) -> None:
        """Take down the details; raises what the payload converter raises when they cannot be encoded."""
        for value in details:
            if type(value) not in _IMMUTABLE:
                self._newest = self._converter.payload_converter.to_payloads(details)
                break
        else:
            # Encoded when they are sent: most heartbeats of a busy loop never are.
            self._newest = details
        if not self._armed:
            self._armed = True
            self._loop.call_soon_threadsafe(self._flush)

    async def close(self) -> list[Payload] | None:
        """Stop; returns the details that the engine may not have got, None where there are none."""
        self._armed = True
        if self._timer is not None:
            self._timer.cancel()
        left = self._newest if self._newest is not _NOTHING else self._unanswered
        self._newest = _NOTHING
        try:
            return None if left is _NOTHING else await self._encode(left)
        except (Exception, asyncio.CancelledError) as error:
            self._on_error(error)  # The attempt is over: its outcome does not depend on them.
            return None

    def close_now(self) -> list[Payload] | None:
        """``close`` for where no codec is set; may be called from the activity's thread."""
        self._armed = True
        if self._timer is not None:
            self._loop.call_soon_threadsafe(self._timer.cancel)
        left = self._newest if self._newest is not _NOTHING else self._unanswered
        self._newest = _NOTHING
        try:
            return None if left is _NOTHING else self._payloads(left)
        except Exception as error:
            self._on_error(error)
            return None

    def _flush(self) -> None:
        details, self._newest = self._newest, _NOTHING
        if details is _NOTHING or self._sending is not None:
            if details is not _NOTHING:
                self._newest = details
                self._arm()
            return
        self._unanswered = details
        self._sending = self._loop.create_task(self._deliver(details))
        self._arm()

    def _arm(self) -> None:
        call_later = self._timing.call_later or self._loop.call_later
        self._timer = call_later(self._interval, self._interval_over)

    def _interval_over(self) -> None:
        # Disarm first: a heartbeat that another thread makes between these lines is then seen by one of the two.
        self._armed = False
        if self._newest is not _NOTHING and not self._armed:
            self._armed = True
            self._flush()

    async def _deliver(self, details: Any) -> None:
        try:
            payloads = await self._encode(details)
        except Exception as error:
            self._sending = None
            self._unanswered = _NOTHING
            self._on_error(error)
            return
        logger.debug("Recording heartbeat with details %s", details)
        try:
            reply = await self._send(self._token, payloads)
        except Exception as error:
            if not (isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND):
                # Not the activity's fault: the details stay unanswered and go out with the next ones or the outcome.
                logger.warning("Heartbeat was not recorded", exc_info=True)
                return
            reply = HeartbeatReply(not_found=True)
        finally:
            self._sending = None
        if self._unanswered is details:
            self._unanswered = _NOTHING
        self._on_reply(reply)

    async def _encode(self, details: Any) -> list[Payload]:
        payloads = self._payloads(details)
        return await self._converter.encode_payloads(payloads) if payloads else payloads

    def _payloads(self, details: Any) -> list[Payload]:
        if isinstance(details, list):
            return details
        return self._converter.payload_converter.to_payloads(details) if details else []
