"""The definitions of the very large run; in a module of their own because the cell that uses them names a gate."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from benchmarks.system_durable_nb import LIMIT, add_one
from durable_nb import activity, workflow

QUEUE = "big"


class Gate:
    """Held closed until all activities are pending."""

    open = asyncio.Event()


@activity.defn
async def wait_behind_gate(number: int) -> int:
    await Gate.open.wait()
    return number


@workflow.defn
class Big:
    @workflow.run
    async def run(self, pending: int, events: int) -> int:
        """``pending`` activities at once, then one after the other until the history holds ``events``."""
        day = timedelta(days=1)
        handles = [workflow.start_activity(wait_behind_gate, n, start_to_close_timeout=day) for n in range(pending)]
        total = sum(await asyncio.gather(*handles))
        while workflow.info().get_current_history_length() < events:
            total = await workflow.execute_activity(add_one, total, start_to_close_timeout=LIMIT)
        return total
