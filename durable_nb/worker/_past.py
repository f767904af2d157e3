"""Code that is served no more, made again to look back at closed runs: queries and travel in time.

Nothing goes on on it. Where it comes from, and whether it may run, is a matter of who gives ``make`` (the notebook:
stored source that bears the user's signature). A few versions are kept, the others are made again when asked for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from durable_nb.errors import DurableError
from durable_nb.runtime.definition import WorkflowDefinition

KEPT = 8


class Made(NamedTuple):
    """A definition, and how to let go of it."""

    definition: WorkflowDefinition
    drop: Callable[[], None]


class PastCode:
    """Versions by workflow type and digest. Used on the engine's loop.

    Parameters
    ----------
    make
        Makes a version; runs in a thread, as it may import much. Raises ``DurableError`` where it cannot or must not.
    """

    def __init__(self, make: Callable[[str, str], Made]) -> None:
        self._make = make
        self._made: OrderedDict[tuple[str, str], Made] = OrderedDict()
        self._making = asyncio.Lock()

    async def recall(self, workflow_type: str, digest: str) -> str:
        """Have a version at hand for ``get``; why that cannot be, "" where it can."""
        key = (workflow_type, digest)
        async with self._making:
            if key not in self._made:
                try:
                    self._made[key] = await asyncio.to_thread(self._make, workflow_type, digest)
                except DurableError as error:
                    return error.message
            self._made.move_to_end(key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)[1].drop()
        return ""

    def get(self, workflow_type: str, digest: str) -> WorkflowDefinition | None:
        """A version that was recalled a short while ago."""
        made = self._made.get((workflow_type, digest))
        return None if made is None else made.definition
