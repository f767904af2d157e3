"""Stored values in the clear, for those who look at them.

A codec may take its time (a key server, a CPU-bound cipher), so this is done by whoever looks, and never on the
engine's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.converter.codec import apply_codec
from durable_nb.runtime.payload_visitor import visit_payloads

if TYPE_CHECKING:
    from durable_nb.converter import PayloadCodec

T = TypeVar("T")


def decoded(value: T, codec: PayloadCodec | None) -> T:
    """``value`` (a struct, or a list or dict of such) with its payloads decoded; waits for the codec.

    In this thread, or, where a loop runs in it (a cell, a callback of a widget), in one beside it.
    """
    if codec is None:
        return value
    request: Coroutine[Any, Any, T] = visit_payloads(value, partial(apply_codec, codec.decode))
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(request)
    with ThreadPoolExecutor(1, "durable_nb codec") as beside:
        return beside.submit(asyncio.run, request).result()
