"""What all calls to the engine share: deadlines and request ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from os import urandom
from typing import TypeVar

from durable_nb.service import RPCError, RPCStatusCode

T = TypeVar("T")


def new_request_id() -> str:
    """An id by which the engine knows a request that comes twice: 128 random bits, a third of the price of a UUID."""
    return urandom(16).hex()


async def within(call: Awaitable[T], timeout: timedelta, verb: str) -> T:
    """The answer of ``call``, which is given up after ``timeout``.

    Raises
    ------
    RPCError
        DEADLINE_EXCEEDED: no answer in time. What was asked for may still happen.
    """
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await call
    except TimeoutError:
        message = f"Timeout expired: no answer to {verb} within rpc_timeout={timeout}"
        raise RPCError(message, RPCStatusCode.DEADLINE_EXCEEDED) from None


def is_deadline(error: RPCError) -> bool:
    """Whether the error says that waiting ended, rather than that the request was refused."""
    return error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
