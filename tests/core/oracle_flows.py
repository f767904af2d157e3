"""A workflow for the oracle, written with portable names only: it is loaded under another package's name."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durable_nb import workflow

MINUTE = timedelta(minutes=1)


@workflow.defn(name="W")
class Busy:
    """Two activities, a timer that is cancelled when the first has ended, and a signal that is waited for."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        timer = asyncio.create_task(asyncio.sleep(100))
        first = workflow.start_activity("act", start_to_close_timeout=MINUTE)
        second = workflow.start_activity("act", start_to_close_timeout=MINUTE)
        await first
        timer.cancel()
        await workflow.wait_condition(lambda: bool(self.signals))
        await second
        return self.signals

    @workflow.signal
    def go(self) -> None:
        self.signals.append("go")
