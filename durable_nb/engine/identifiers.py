"""Keys and ids of new runs."""

from __future__ import annotations

import os

from durable_nb.engine.clock import Clock
from durable_nb.store.protocol import Store

RUN_KEY_BLOCK = 1000
"""Run keys reserved at a time: one small commit for a thousand starts."""


class Identifiers:
    """Makes them for one engine."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys = iter(range(0))

    def new_run_key(self) -> int:
        """A run key that nobody else has or will have."""
        key = next(self._keys, None)
        if key is None:
            self._keys = iter(self._store.reserve_run_keys(RUN_KEY_BLOCK))
            key = next(self._keys)
        return key

    def new_run_id(self) -> str:
        """A UUID of version 7: ordered by time, which keeps the index of run IDs dense."""
        random = int.from_bytes(os.urandom(10), "big")
        value = (self._clock.now() // 1000 & (1 << 48) - 1) << 80 | random
        text = f"{value:032x}"
        variant = "89ab"[random >> 62 & 3]
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
