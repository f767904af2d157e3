"""W5: kill -9 in the middle; time from the restart to all done, and which activities ran again."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.catalog import Check, Metric, Outcome, Sizes
from benchmarks.children import Cell, CellError, run, spawn
from benchmarks.system import Ledger, System

Step = tuple[str, int]


def _keys(count: int) -> list[str]:
    return [f"chain-{n}" for n in range(count)]


async def begin(system: System, folder: Path, count: int, steps: int) -> dict[str, Any]:
    """Cell that dies: start everything, and only then let the activities go on."""
    Ledger.open(folder / "ledger.txt")
    Ledger.released = False
    await system.open()
    await asyncio.gather(*[system.start_marked_chain(key, steps) for key in _keys(count)])
    Ledger.released = True
    await asyncio.gather(*[system.wait(key) for key in _keys(count)])
    return {}


async def completed_steps(system: Any, folder: Path, count: int) -> dict[str, Any]:
    """Cell that reads a copy of the store as the kill left it: which steps does each history call completed?"""
    from durable_nb.client import Client  # noqa: PLC0415 - only this cell needs it

    client = await Client.connect(f"sqlite:///{folder / 'durable.db'}")
    done: list[tuple[str, int]] = []
    for key in _keys(count):
        history = (await client.get_workflow_handle(key).fetch_history()).to_json_dict()
        completed = sum(event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_COMPLETED" for event in history["events"])
        done.extend((key, step) for step in range(completed))
    return {"completed": done, "abandon": True}


def _completed_in_copy(system: str, folder: Path, count: int) -> set[Step]:
    copy = folder.with_name(folder.name + "-at-kill")
    shutil.copytree(folder, copy)
    if system == "dbos":
        with closing(sqlite3.connect(copy / "dbos.sqlite")) as connection:
            query = "SELECT workflow_uuid, function_id FROM operation_outputs WHERE function_name LIKE '%marked%'"
            first = 1  # DBOS numbers the steps of a workflow from 1
            return {(key, number - first) for key, number in connection.execute(query)}
    seen = run(system, "crash:completed_steps", copy, count=count)
    return {(key, step) for key, step in seen.result["completed"]}


def _kill_half_way(cell: Cell, ledger: Path, lines: int) -> None:
    bytes_wanted = lines * len("chain-100 5\n")
    while not ledger.exists() or ledger.stat().st_size < bytes_wanted:
        if not cell.alive():
            raise CellError(f"{cell.title} ended before it could be killed\n{cell.log.read_text()[-2000:]}")
        time.sleep(0.001)
    cell.kill()


def w5(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Seconds from spawning the second process, its start-up and imports included, to the last result."""
    total = sizes.chains * sizes.steps
    ledger = folder / "ledger.txt"
    first = spawn(system, "crash:begin", folder, count=sizes.chains, steps=sizes.steps)
    _kill_half_way(first, ledger, total // 2)
    before = set(Ledger.read(ledger))
    completed = _completed_in_copy(system, folder, sizes.chains)

    second = run(system, "starts:resume", folder, keys=_keys(sizes.chains))
    executions = Counter(Ledger.read(ledger))
    again = {step for step, times in executions.items() if times > 1}
    in_flight = before - completed
    metrics = [
        Metric(
            "W5", "kill -9, recovery", second.seconds, "s", second.cpu_seconds * 1e6 / (total - len(before)), "step"
        ),
        Metric("W5", "activities run again", float(len(again)), "activities"),
    ]
    checks = [
        Check("W5", "every activity ran", len(executions) == total, f"{len(executions)} of {total}"),
        Check(
            "W5",
            "only activities in flight ran again",
            again <= in_flight,
            f"{len(before)} begun before the kill, {len(in_flight)} of them in flight, {len(again)} ran again",
        ),
    ]
    return metrics, checks
