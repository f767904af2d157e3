"""A workflow for a history that was written by hand; the judge loads this file with another package's name."""

from __future__ import annotations

from datetime import timedelta

from durable_nb import workflow


@workflow.defn
class Charging:
    @workflow.run
    async def run(self, x: int) -> str:
        await workflow.sleep(3)
        done: str = await workflow.execute_activity("charge", x, start_to_close_timeout=timedelta(seconds=5))
        return done
