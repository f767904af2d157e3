"""How runs of ``flows`` went: each function drives one run and gives the driver that holds its history."""

from __future__ import annotations

from collections.abc import Callable

from durable_nb.model import attributes as a
from durable_nb.model.enums import StartChildWorkflowExecutionFailedCause, WorkflowTaskFailedCause
from durable_nb.model.tasks import ActivityOutcome
from tests.runtime import flows
from tests.runtime.driver import SECOND, Driver, LocalEnd, failure, payloads

Story = Callable[[], Driver]


def activities_one_after_the_other() -> Driver:
    d = Driver(flows.Sequential, flows.Order("o-1", 5))
    d.task()
    d.complete("validate", "valid")
    d.task()
    d.fail("charge", "card refused")
    d.task()
    d.complete("refund")
    d.task()
    return d


def activities_side_by_side() -> Driver:
    d = Driver(flows.FanOut, 4)
    d.task()
    d.complete("3", 30)
    d.complete("1", 10)
    d.task()
    d.complete("4", 40)
    d.time_out("2")
    d.task()
    return d


def timers() -> Driver:
    d = Driver(flows.Timers)
    d.task()
    for timer in ("1", "2"):
        d.fire(timer)
        d.task()
    d.fire("3")  # asyncio.timeout; the sleep inside is number 4
    d.task()
    d.fire(next(t for t in ("5", "6") if _wait_for_timer(d, t)))
    d.task()
    d.fire("8")
    d.task()
    return d


def _wait_for_timer(d: Driver, timer: str) -> bool:
    return any(
        isinstance(e.attributes, a.TimerStarted)
        and e.attributes.timer_id == timer
        and e.attributes.start_to_fire_timeout == 3 * SECOND
        for e in d.events
    )


def messages() -> Driver:
    d = Driver(flows.Mailbox)
    d.task()
    d.signal("add", "ann")
    d.signal("unknown", 1, "two")
    d.task()
    d.update("u-1", "rename", "same", "same")
    d.update("u-2", "rename", "ann", "bob")
    d.task()
    d.complete("clean", "Ann")
    d.signal("add", "cy")
    d.complete("rename")
    d.task()
    d.update("u-3", "fails")
    d.task()
    d.complete("clean", "Cy")
    d.update("u-4", "now_done")
    d.task()
    return d


def condition_times_out() -> Driver:
    d = Driver(flows.Mailbox)
    d.task()
    d.fire("1")
    d.task()
    return d


def signal_with_start() -> Driver:
    d = Driver(flows.Starter)
    d.signal("go")
    d.task()
    d.complete("from_signal")
    d.complete("from_run")
    d.task()
    return d


def children() -> Driver:
    d = Driver(flows.Family, 2)
    d.task()
    d.child_started("child-1")
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.task()
    d.child_closed("child-1", a.ChildWorkflowExecutionCompleted, result=payloads("grown"))
    d.task()
    d.child_started("child-2")
    d.child_closed("child-2", a.ChildWorkflowExecutionFailed, failure=failure("ill"))
    d.task()
    return d


def child_id_in_use() -> Driver:
    d = Driver(flows.Family, 2)
    d.task()
    d.child_started("child-1")
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.child_closed("child-1", a.ChildWorkflowExecutionCompleted, result=payloads("grown"))
    d.task()
    d.add(
        a.StartChildWorkflowExecutionFailed(
            initiated_event_id=d.child("child-2").event_id,
            workflow_id="child-2",
            workflow_type="Child",
            cause=StartChildWorkflowExecutionFailedCause.WORKFLOW_ALREADY_EXISTS,
        )
    )
    d.task()
    return d


def _cancelled_parent(kind: int) -> Driver:
    d = Driver(flows.Family, kind)
    d.task()
    d.child_started("child-1")
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.task()
    d.cancel("stop")
    d.task()
    if kind in (2, 3):
        d.answer(a.RequestCancelExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionCancelRequested)
        d.child_closed("child-1", a.ChildWorkflowExecutionCanceled)
        d.task()
    d.child_started("child-2")
    d.child_closed("child-2", a.ChildWorkflowExecutionTerminated)
    d.task()
    return d


def child_abandoned() -> Driver:
    return _cancelled_parent(0)


def child_cancel_tried() -> Driver:
    return _cancelled_parent(1)


def child_cancel_awaited() -> Driver:
    return _cancelled_parent(2)


def child_cancel_request_awaited() -> Driver:
    return _cancelled_parent(3)


def random_ids() -> Driver:
    d = Driver(flows.RandomIds, run_id="5b1f2c70-5d3a-4f0e-8a0b-0a1b2c3d4e5f")
    d.task()
    for name in "abc":
        d.complete(name)
        d.task()
    child = d.of(a.StartChildWorkflowExecutionInitiated).attributes.workflow_id  # type: ignore[attr-defined]
    d.child_started(child)
    d.child_closed(child, a.ChildWorkflowExecutionCompleted)
    d.task()
    d.complete("d")
    d.task()
    return d


def reset() -> Driver:
    d = Driver(flows.RandomIds)
    d.task()
    d.complete("a")
    d.schedule()
    d.fail_task(WorkflowTaskFailedCause.RESET_WORKFLOW)
    d.events[-1].attributes.base_run_id = "run-1"  # type: ignore[attr-defined]
    d.events[-1].attributes.new_run_id = "run-2"  # type: ignore[attr-defined]
    d.task()
    d.complete("b")
    d.task()
    return d


def patched() -> Driver:
    d = Driver(flows.Patched)
    d.task()
    d.complete("new")
    d.task()
    d.fire("1")
    d.task()
    return d


def local_activities() -> Driver:
    d = Driver(flows.Locals)

    def run(request: object) -> object:
        name = request.activity_type  # type: ignore[attr-defined]
        if name == "bad":
            return LocalEnd(ActivityOutcome(failure=failure("no luck")), complete_time=d.now + SECOND)
        return {"one": 1, "two": 2, "three": 3}[name]

    d.local = run
    d.task()
    d.fire("1")
    d.task()
    d.complete("remote")
    d.task()
    return d


def continue_as_new() -> Driver:
    d = Driver(flows.Looping, 3)
    d.task()
    d.fire("1")
    d.task()
    return d


def _cancelled(kind: int) -> Driver:
    d = Driver(flows.Cancellable, kind)
    d.task()
    d.cancel("enough")
    d.task()
    if kind == 1:
        d.canceled("long", "half way")
        d.task()
    d.complete("clean_up")
    d.task()
    return d


def cancel_tried() -> Driver:
    return _cancelled(0)


def cancel_awaited() -> Driver:
    return _cancelled(1)


def cancel_abandoned() -> Driver:
    return _cancelled(2)


def cancel_awaited_but_completed() -> Driver:
    d = Driver(flows.Cancellable, 1)
    d.task()
    d.cancel("enough")
    d.task()
    d.complete("long", "still finished")
    d.task()
    return d


def cancelled_before_the_first_task() -> Driver:
    d = Driver(flows.Cancellable, 0)
    d.cancel("too early")
    d.task()
    return d


def other_workflows() -> Driver:
    d = Driver(flows.Neighbour)
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.task()
    d.answer(a.RequestCancelExternalWorkflowExecutionInitiated, a.RequestCancelExternalWorkflowExecutionFailed)
    d.task()
    d.fire("1")
    d.task()
    return d


def everything_at_once() -> Driver:
    d = Driver(flows.Order3)
    d.task()
    d.child_started("c")
    d.task()
    d.child_closed("c", a.ChildWorkflowExecutionCompleted)
    d.complete("a")
    d.fire("2")
    d.signal("set_flag")
    d.task()
    for _ in range(4):
        d.complete(next(n for n in ("after_condition", "after_timer", "after_activity", "after_child") if _open(d, n)))
    d.task()
    return d


def _open(d: Driver, name: str) -> bool:
    try:
        d._scheduled(name)
    except AssertionError:
        return False
    return True


def ordered_helpers() -> Driver:
    d = Driver(flows.Helpers)
    d.task()
    d.complete("2", "second")
    d.task()
    d.complete("3", "third")
    d.complete("1", "first")
    d.task()
    d.complete("seen")
    d.task()
    d.complete("seen")
    d.task()
    return d


def _failing(how: str) -> Driver:
    d = Driver(flows.Fails, how)
    d.task()
    d.fire("1")
    d.task()
    return d


def fails_by_configured_type() -> Driver:
    return _failing("key")


def fails_by_application_error() -> Driver:
    return _failing("application")


def fails_by_timeout() -> Driver:
    return _failing("timeout")


def late_handlers() -> Driver:
    d = Driver(flows.LateHandlers)
    d.signal("late", "early")
    d.task()
    d.signal("late", "earlier")
    d.fire("1")
    d.task()
    d.complete("2")
    d.complete("1")
    d.task()
    return d


def a_task_that_failed_and_one_that_timed_out() -> Driver:
    d = Driver(flows.Sequential, flows.Order("o-2"))
    d.fail_task(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE)
    d.task()
    d.complete("validate", "valid")
    d.schedule()
    scheduled = d.of(a.WorkflowTaskScheduled).event_id
    started = d.add(a.WorkflowTaskStarted(scheduled_event_id=scheduled)).event_id
    d.add(a.WorkflowTaskTimedOut(scheduled_event_id=scheduled, started_event_id=started))
    d.forget()
    d.task()
    d.complete("charge")
    d.task()
    return d


def terminated_in_mid_air() -> Driver:
    d = Driver(flows.Timers)
    d.task()
    d.fire("1")
    d.schedule()
    d.add(a.WorkflowTaskStarted(scheduled_event_id=d.of(a.WorkflowTaskScheduled).event_id))
    d.add(a.WorkflowExecutionTerminated(reason="enough"))
    return d


STORIES: dict[str, Story] = {
    name: story
    for name, story in list(globals().items())
    if callable(story) and not name.startswith("_") and getattr(story, "__module__", "") == __name__
}
