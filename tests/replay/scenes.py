"""How the workflows of the gallery are run on the real engine; each scene leaves the histories of one or more runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from durable_nb.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from durable_nb.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from durable_nb.model.attributes import (
    ChildWorkflowExecutionStarted,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionTimedOut,
    WorkflowTaskCompleted,
)
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker
from tests.replay import activities, gallery
from tests.waiting import recorded

QUEUE = "q"
WORKFLOWS = [each for each in vars(gallery).values() if hasattr(each, "__temporal_workflow_definition")]


class Stage:
    """Starts runs and keeps the exported history of each: (name, workflow class, JSON)."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.histories: list[tuple[str, str, str]] = []

    async def start(self, workflow: type, *args: Any, id: str, **options: Any) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(workflow.__name__, args=list(args), id=id, task_queue=QUEUE, **options)

    async def finish(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """The result or the exception of the whole chain; the histories of its runs are kept."""
        outcome: Any
        try:
            outcome = await handle.result()
        except WorkflowFailureError as error:
            outcome = error.cause
        await self.keep(handle.id, handle.first_execution_run_id or "")
        return outcome

    async def keep(self, workflow_id: str, run_id: str = "") -> None:
        """Keep the history of a run, of those that followed it, and of its children."""
        while True:
            history = await self.client.get_workflow_handle(workflow_id, run_id=run_id or None).fetch_history()
            workflow = history.events[0].attributes.workflow_type
            name = f"{workflow_id} {len(self.histories)}"
            self.histories.append((name, workflow, history.to_json()))
            for event in history.events:
                if isinstance(event.attributes, ChildWorkflowExecutionStarted):
                    child = event.attributes.workflow_execution
                    await self.keep(child.workflow_id, child.run_id)
            last = history.events[-1].attributes
            followed = isinstance(
                last,
                WorkflowExecutionCompleted
                | WorkflowExecutionContinuedAsNew
                | WorkflowExecutionFailed
                | WorkflowExecutionTimedOut,
            )
            if not followed or not last.new_execution_run_id:
                return
            run_id = last.new_execution_run_id

    async def until(self, workflow_id: str, kind: str, count: int = 1) -> None:
        """Wait until the newest run of the workflow has so many events of a kind."""
        await recorded(self.client.get_workflow_handle(workflow_id), kind, count)


Scene = Callable[[Stage], Awaitable[None]]


async def outcomes(on: Stage) -> None:
    seen = await on.finish(await on.start(gallery.Outcomes, "x", id="outcomes"))
    assert [each.split()[0] for each in seen] == [
        "x",
        "3",
        "ApplicationError:Refused",
        "ApplicationError:ValueError",
        "ApplicationError:ValueError",
        "TimeoutError:SCHEDULE_TO_START",
        "TimeoutError:START_TO_CLOSE",
        "TimeoutError:HEARTBEAT",
    ]


async def fan_out(on: Stage) -> None:
    assert await on.finish(await on.start(gallery.FanOut, 5, id="fan-out")) == [0, 1, 2, 3, 4]


async def cancelled_activities(on: Stage) -> None:
    for kind in range(3):
        seen = await on.finish(await on.start(gallery.CancelsActivity, kind, id=f"cancels-activity-{kind}"))
        assert seen == ["never began", "CancelledError:None"], (kind, seen)


async def local_activities(on: Stage) -> None:
    seen = await on.finish(await on.start(gallery.Locals, id="locals"))
    assert seen == [1, 2, 3, "ApplicationError:Refused", 2, 2]
    assert await on.finish(await on.start(gallery.Races, id="races")) == 3


async def held_task(on: Stage) -> None:
    for workflow, expected in ((gallery.Held, ["one", "two"]), (gallery.HeldAtTheEnd, ["one", "two"])):
        name = workflow.__name__
        handle = await on.start(workflow, name, id=name)
        await activities.arrived[name].wait()
        for text in ("one", "two"):
            await handle.signal("add", text)
        activities.gates[name].set()
        assert await on.finish(handle) == expected


async def timers(on: Stage) -> None:
    seen = await on.finish(await on.start(gallery.Timers, id="timers"))
    assert [each.split()[-1] for each in seen] == ["TimeoutError"] * 3 + ["CancelledError"] * 2


async def messages(on: Stage) -> None:
    handle = await on.start(gallery.Mailbox, "Post", id="mailbox", start_signal="add", start_signal_args=["first"])
    await handle.signal("unknown", args=[1, "two"])
    assert await handle.execute_update("rename", args=["ann", "bob"], id="u-1") >= 2
    for update, args in (("rename", ["same", "same"]), ("fails", []), ("no_such", [])):
        try:
            await handle.execute_update(update, args=args)
        except WorkflowUpdateFailedError:
            continue
        raise AssertionError(f"update {update} must fail")
    assert await handle.query("count") >= 3
    sent = [handle.execute_update("at_once", str(n), id=f"at-once-{n}") for n in range(3)]
    assert await asyncio.gather(*sent, handle.signal("add", "late")) == ["ok"] * 3 + [None]
    await handle.signal("finish")
    assert len(await on.finish(handle)) == 8


async def messages_with_the_start(on: Stage) -> None:
    handle = await on.start(gallery.Starter, id="starter", start_signal="go")
    assert await on.finish(handle) == 1
    start = WithStartWorkflowOperation(
        "Mailbox",
        "Post",
        id="update-with-start",
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    answer = await on.client.execute_update_with_start_workflow(
        "rename", args=["a", "b"], start_workflow_operation=start
    )
    assert answer == 2
    started = await start.workflow_handle()
    await started.signal("finish")
    assert await on.finish(started) == ["Post", "b"]


async def late_handlers(on: Stage) -> None:
    handle = await on.start(gallery.LateHandlers, id="late")
    for name in ("early", "also early"):
        await handle.signal("late", name)
    assert await on.finish(handle) == ["early", "also early"]


async def condition_that_times_out(on: Stage) -> None:
    error = await on.finish(await on.start(gallery.Mailbox, "Nobody writes", id="forgotten"))
    assert isinstance(error, Exception)


async def children(on: Stage) -> None:
    seen = await on.finish(await on.start(gallery.Family, id="family"))
    assert seen == [
        "plain []",
        "waits ['you']",
        "ApplicationError:Ill",
        "TimeoutError:START_TO_CLOSE",
        "ApplicationError:Ill",
        "in use",
    ]


async def cancelled_children(on: Stage) -> None:
    for kind in range(4):
        handle = await on.start(gallery.CancelsChild, kind, id=f"cancels-child-{kind}")
        assert await on.finish(handle) == ["ChildWorkflowError"]


async def terminated_child(on: Stage) -> None:
    handle = await on.start(gallery.Guardian, "ward", id="guardian")
    await on.until("guardian", "ChildWorkflowExecutionStarted")
    await on.client.get_workflow_handle("ward").terminate(reason="enough")
    assert await on.finish(handle) == "TerminatedError:None"


async def neighbours(on: Stage) -> None:
    other = await on.start(gallery.Child, "sleeps", id="other")
    seen = await on.finish(
        await on.start(
            gallery.Neighbour,
            "other",
            id="neighbour",
            memo={"old": 1},
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(SearchAttributeKey.for_keyword("Stage"), "zero")]
            ),
        )
    )
    assert len(seen) == 3
    await on.finish(other)


async def dice(on: Stage) -> None:
    assert len(await on.finish(await on.start(gallery.Dice, id="dice"))) == 8


async def patches(on: Stage) -> None:
    assert await on.finish(await on.start(gallery.Patched, id="patched")) == ["new", True, True, True]


async def continued(on: Stage) -> None:
    assert await on.finish(await on.start(gallery.Looping, 2, id="looping")) == "done"


async def cancelled(on: Stage) -> None:
    for workflow in (gallery.CleansUp, gallery.Waits):
        handle = await on.start(workflow, id=f"cancelled-{workflow.__name__}")
        await on.until(handle.id, "TimerStarted")
        await handle.cancel(reason="enough")
        assert type(await on.finish(handle)).__name__ == "CancelledError"


async def terminated(on: Stage) -> None:
    handle = await on.start(gallery.Waits, id="terminated")
    await on.until("terminated", "TimerStarted")
    await handle.terminate(reason="enough")
    assert type(await on.finish(handle)).__name__ == "TerminatedError"


async def timed_out(on: Stage) -> None:
    handle = await on.start(gallery.Waits, id="timed-out", run_timeout=timedelta(seconds=5))
    assert type(await on.finish(handle)).__name__ == "TimeoutError"


async def delayed(on: Stage) -> None:
    handle = await on.start(gallery.Looping, 0, id="delayed", start_delay=timedelta(seconds=5))
    assert await on.finish(handle) == "done"


async def failures(on: Stage) -> None:
    for how in ("key", "activity", "timeout", "final", "plain"):
        error = await on.finish(await on.start(gallery.Fails, how, id=f"fails-{how}"))
        assert isinstance(error, Exception), error


async def workflow_retries(on: Stage) -> None:
    handle = await on.start(gallery.Retried, id="retried", retry_policy=RetryPolicy(maximum_attempts=5))
    assert await on.finish(handle) == 3


async def cron(on: Stage) -> None:
    handle = await on.start(gallery.Periodic, id="cron", cron_schedule="* * * * *")
    chain = [handle.first_execution_run_id or ""]
    for _ in range(3):
        run = on.client.get_workflow_handle("cron", run_id=chain[-1])
        try:
            await run.result(follow_runs=False)
        except Exception as error:
            assert "continued as new" in str(error).lower(), error  # noqa: PT017
        last = (await run.fetch_history()).events[-1].attributes
        chain.append(getattr(last, "new_execution_run_id", ""))
    await on.client.get_workflow_handle("cron").terminate()
    await on.keep("cron", chain[0])


async def mended(on: Stage) -> None:
    gallery.Mended.broken = True
    handle = await on.start(gallery.Mended, id="mended")
    await on.until("mended", "WorkflowTaskFailed")
    gallery.Mended.broken = False
    assert await on.finish(handle) == "after"


async def reset(on: Stage) -> None:
    handle = await on.start(gallery.Deciding, id="reset")
    assert await on.finish(handle) == "decided"
    history = await handle.fetch_history()
    tasks = [each.event_id for each in history.events if isinstance(each.attributes, WorkflowTaskCompleted)]
    again = await handle.reset(tasks[1], reason="again")
    assert await again.result() == "decided"
    await on.keep("reset", again.result_run_id)


ALL: list[Scene] = [
    outcomes, fan_out, cancelled_activities, local_activities, held_task, timers, messages,
    messages_with_the_start, late_handlers, condition_that_times_out, children, cancelled_children,
    terminated_child, neighbours, dice, patches, continued, cancelled, terminated, timed_out, delayed,
    failures, workflow_retries, cron, mended, reset,
]  # fmt: skip


@asynccontextmanager
async def staged(cached: int = 1000) -> AsyncIterator[Stage]:
    """A stage of its own, in time that is skipped; with ``cached=0`` every workflow task is reached by replay."""
    activities.gates.clear()
    activities.arrived.clear()
    async with (
        await WorkflowEnvironment.start_time_skipping() as environment,
        Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=WORKFLOWS,
            activities=activities.ALL,
            max_cached_workflows=cached,
            graceful_shutdown_timeout=timedelta(0),
            max_heartbeat_throttle_interval=timedelta(milliseconds=1),
        ),
    ):
        yield Stage(environment.client)


async def play(scene: Scene, *, cached: int = 1000) -> list[tuple[str, str, str]]:
    """The histories that a scene leaves."""
    async with staged(cached) as stage:
        await scene(stage)
        return stage.histories
