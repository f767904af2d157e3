"""Requests about what is recorded of runs: descriptions and lists of it, branches from it, imports to it, deletions.

What they do is imported when they are asked: an engine that starts and goes on with what was left need not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.engine.admission import admit_texts
from durable_nb.engine.finding import find_hosts, find_row, push, read_origins, recall
from durable_nb.engine.inputs import Describe
from durable_nb.engine.metrics import read_metrics
from durable_nb.engine.ports import WorkerPort
from durable_nb.model import requests as ask
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import RunFilter, RunRow

if TYPE_CHECKING:
    from durable_nb.engine.branching import BranchRequest
    from durable_nb.engine.engine import Engine
    from durable_nb.engine.slot import RunSlot


class Archive:
    """A part of ``Frontend``; see the module docstring."""

    _engine: Engine

    # -- looking ---------------------------------------------------------------------------------------------------

    async def describe_workflow(self, target: ask.Target) -> ask.RunDescription:
        from durable_nb.core import describe  # noqa: PLC0415 - see the module docstring

        row = await find_row(self._engine, target)
        if row.status != WorkflowExecutionStatus.RUNNING:
            return await self._with_origin(describe.describe_row(row), row.run_key)
        workers = self._engine.workers

        def look(slot: RunSlot) -> ask.RunDescription:
            state = slot.state
            assert state is not None  # noqa: S101 - inputs are applied to loaded runs only
            described = describe.describe(state, row)
            task = described.pending_workflow_task
            if task is not None:
                task.waits_for_definition = workers.for_run(state) is None
            return described

        return await self._with_origin(await push(self._engine, row.run_key, Describe, look), row.run_key)

    async def _with_origin(self, run: ask.RunDescription, run_key: int) -> ask.RunDescription:
        origins = await read_origins(self._engine, [run_key])
        run.reset_from_run_id, run.reset_event_id = origins.get(run_key, ("", 0))
        return run

    async def list_workflows(self, request: ask.ListWorkflows) -> list[ask.RunDescription]:
        from durable_nb.core.describe import describe_row  # noqa: PLC0415 - see the module docstring

        query = RunFilter(
            request.namespace,
            request.workflow_id,
            request.workflow_type,
            request.statuses,
            request.limit,
            started_from=request.started_from,
            started_before=request.started_before,
            closed_from=request.closed_from,
            closed_before=request.closed_before,
        )
        rows: list[RunRow] = await self._engine.read(self._engine.store.list_runs, query)
        origins = await read_origins(self._engine, [row.run_key for row in rows])
        found = [describe_row(row) for row in rows]
        for row, run in zip(rows, found, strict=True):
            run.reset_from_run_id, run.reset_event_id = origins.get(row.run_key, ("", 0))
        return found

    async def count_workflows(self, namespace: str) -> dict[int, int]:
        counts: dict[int, int] = await self._engine.read(self._engine.store.count_runs, namespace)
        return counts

    async def read_attempts(self, target: ask.Target) -> list[ask.AttemptDescription]:
        from durable_nb.core.describe import describe_attempt  # noqa: PLC0415 - see the module docstring

        row = await find_row(self._engine, target)
        attempts = await self._engine.read(self._engine.store.read_attempts, row.run_key)
        return [describe_attempt(attempt) for attempt in attempts]

    async def read_outputs(self, target: ask.Target) -> list[ask.OutputDescription]:
        """What the attempts of a run printed and logged, in the order of activities and attempts."""
        return await self._engine.outputs.read((await find_row(self._engine, target)).run_key)

    async def read_metrics(self) -> list[ask.MetricSample]:
        """What the engine measured of itself until now."""
        return read_metrics(self._engine)

    async def find_hosts(self, target: ask.Target) -> tuple[RunRow, list[WorkerPort]]:
        """A run's row, and the workers of this process that have its workflow type."""
        return await find_hosts(self._engine, target)

    async def recall(self, row: RunRow) -> tuple[WorkerPort | None, str]:
        """A worker of this process that has made the code of a run ready to look back, though it does not serve it.

        None, and why, where there is none.
        """
        return await recall(self._engine, row.namespace, row.task_queue, row.workflow_type, row.definition)

    # -- branches --------------------------------------------------------------------------------------------------

    async def branch_workflow(self, request: BranchRequest) -> ask.Branched:
        """Reset, fork or retry (``engine.branching``); the open run of the chain is terminated with it."""
        admit_texts(reason=request.reason, identity=request.identity)
        from durable_nb.engine.branching import make_branch  # noqa: PLC0415 - see the module docstring

        return await make_branch(self._engine, request)

    async def preview_branch(self, request: BranchRequest) -> ask.Branched:
        """What that would do; nothing is written."""
        from durable_nb.engine.branching import make_branch  # noqa: PLC0415 - see the module docstring

        return await make_branch(self._engine, request, preview=True)

    # -- whole runs, in and out ------------------------------------------------------------------------------------

    async def import_runs(self, request: ask.ImportRuns) -> list[ask.ImportOutcome]:
        """Runs of other stores, written together or not at all."""
        from durable_nb.engine.imports import import_runs  # noqa: PLC0415 - see the module docstring

        return await import_runs(self._engine, request)

    async def delete_workflow(self, target: ask.Target) -> None:
        """Remove a closed run."""
        from durable_nb.engine.deletion import delete_run  # noqa: PLC0415 - see the module docstring

        await delete_run(self._engine, await find_row(self._engine, target))
