"""A workflow that does what its argument says: programs for property tests, portable as ``flows``."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.exceptions import is_cancelled_exception

SHORT = timedelta(seconds=10)
_CANCEL = workflow.ActivityCancellationType
_CHILD = workflow.ChildWorkflowCancellationType


@workflow.defn
class Chaos:
    """Runs branches side by side; each branch is a list of steps such as ``["activity"]`` or ``["sleep", 3]``."""

    def __init__(self) -> None:
        self.count = 0
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.lock = asyncio.Lock()
        self.one_local = asyncio.Lock()
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.event = asyncio.Event()
        self.children = 0

    @workflow.run
    async def run(self, branches: list[list[list[Any]]]) -> int:
        await self.fork(branches)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.count

    @workflow.signal
    async def steps(self, branch: list[list[Any]]) -> None:
        await self.branch(branch)

    @workflow.signal
    def bump(self) -> None:
        self.count += 1

    @workflow.update
    async def change(self, branch: list[list[Any]]) -> int:
        await self.branch(branch)
        return self.count

    async def fork(self, branches: list[list[list[Any]]]) -> None:
        tasks = []
        for branch in branches:
            name = f"b{len(self.tasks)}"
            self.tasks[name] = asyncio.create_task(self.branch(branch))
            tasks.append(self.tasks[name])
        await asyncio.gather(*tasks, return_exceptions=True)

    async def branch(self, branch: list[list[Any]]) -> None:
        for step in branch:
            try:
                await self.step(step[0], *step[1:])
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled_exception(error):
                    await workflow.execute_activity("cleaned", start_to_close_timeout=SHORT)
                self.count += 1

    async def step(self, kind: str, arg: Any = 0) -> None:  # noqa: C901 - a table of steps
        if kind == "activity":
            await workflow.execute_activity("act", start_to_close_timeout=SHORT, cancellation_type=_CANCEL(arg % 3))
        elif kind == "local":
            # One at a time: the judge resolves several in one go, which live runs of either engine do not.
            async with self.one_local:
                await workflow.execute_local_activity("loc", start_to_close_timeout=SHORT)
        elif kind == "sleep":
            await workflow.sleep(1 + arg)
        elif kind == "asleep":
            await asyncio.sleep(arg)
        elif kind == "timeout":
            await asyncio.wait_for(self.event.wait(), 1 + arg)
        elif kind == "condition":
            await workflow.wait_condition(lambda: self.count >= arg, timeout=timedelta(seconds=5))
        elif kind == "child":
            self.children += 1
            await workflow.execute_child_workflow("Kid", id=f"kid-{self.children}", cancellation_type=_CHILD(arg % 4))
        elif kind == "cancel":
            names = sorted(self.tasks)
            self.tasks[names[arg % len(names)]].cancel()
        elif kind == "fork":
            await self.fork([[["activity", arg]], [["sleep", arg]]])
        elif kind == "lock":
            async with self.lock:
                await workflow.execute_activity("locked", start_to_close_timeout=SHORT)
        elif kind == "put":
            self.queue.put_nowait(arg)
        elif kind == "get":
            self.count += await asyncio.wait_for(self.queue.get(), 7)
        elif kind == "set":
            self.event.set()
        elif kind == "shield":
            await asyncio.shield(workflow.execute_activity("shielded", start_to_close_timeout=SHORT))
        elif kind == "patch":
            if workflow.patched(f"patch-{arg}"):
                await workflow.execute_activity("patched", start_to_close_timeout=SHORT)
        elif kind == "signal":
            await workflow.get_external_workflow_handle("other").signal("s")
        elif kind == "uuid":
            await workflow.execute_activity("u", activity_id=str(workflow.uuid4()), start_to_close_timeout=SHORT)
        elif kind == "start_cancel":
            handle = workflow.start_activity("gone", start_to_close_timeout=SHORT)
            if arg % 2:
                await asyncio.sleep(0)
            handle.cancel()
            await handle
        elif kind == "bump":
            self.count += 1
