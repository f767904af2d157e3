"""DBOS as a system under test: its async API on SQLite, its own defaults, logging kept to errors."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from benchmarks.system import Ledger


@DBOS.step()
async def add_one(number: int) -> int:
    return number + 1


@DBOS.step()
async def marked(workflow_id: str, step: int) -> int:
    Ledger.note(workflow_id, step)
    while not Ledger.released:
        await asyncio.sleep(0.001)
    return step


@DBOS.workflow()
async def one(number: int) -> int:
    return await add_one(number)


@DBOS.workflow()
async def chain(steps: int) -> int:
    number = 0
    for _ in range(steps):
        number = await add_one(number)
    return number


@DBOS.workflow()
async def fan(width: int) -> int:
    return sum(await asyncio.gather(*[add_one(n) for n in range(width)]))


@DBOS.workflow()
async def marked_chain(workflow_id: str, steps: int) -> int:
    for step in range(steps):
        await marked(workflow_id, step)
    return steps


_asleep: set[str] = set()


@DBOS.workflow()
async def sleeper(workflow_id: str, seconds: float) -> None:
    _asleep.add(workflow_id)
    await DBOS.sleep_async(seconds)


class Dbos:
    def __init__(self, folder: Path) -> None:
        DBOS(
            config={
                "name": "benchmarks",
                "system_database_url": f"sqlite:///{folder / 'dbos.sqlite'}",
                "log_level": "ERROR",
                "console_log_level": "ERROR",
            }
        )

    async def open(self) -> None:
        DBOS.launch()

    async def close(self) -> None:
        await asyncio.to_thread(DBOS.destroy)

    async def run_one(self, key: str) -> None:
        with SetWorkflowID(key):
            await one(1)

    async def run_chain(self, key: str, steps: int) -> None:
        with SetWorkflowID(key):
            await chain(steps)

    async def run_fan(self, key: str, width: int) -> None:
        with SetWorkflowID(key):
            await fan(width)

    async def start_one(self, key: str) -> None:
        with SetWorkflowID(key):
            await DBOS.start_workflow_async(one, 1)

    async def start_marked_chain(self, key: str, steps: int) -> None:
        with SetWorkflowID(key):
            await DBOS.start_workflow_async(marked_chain, key, steps)

    async def start_sleeper(self, key: str, seconds: float) -> None:
        with SetWorkflowID(key):
            await DBOS.start_workflow_async(sleeper, key, seconds)

    async def wait(self, key: str) -> None:
        handle = await DBOS.retrieve_workflow_async(key)
        await handle.get_result()

    def sleepers(self) -> int:
        return len(_asleep)


def make(folder: Path) -> Dbos:
    return Dbos(folder)
