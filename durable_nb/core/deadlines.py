"""What is due: user timers, activity timeouts and back-offs, workflow task and run timeouts."""

from __future__ import annotations

from durable_nb.core import activities, closing, workflow_tasks
from durable_nb.core.state import NEVER, ActivityState
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import TimerFired
from durable_nb.model.enums import TimeoutType


def fire(tx: Transition) -> None:
    """Carry out everything of the run that is due at ``tx.now``, earliest first."""
    state = tx.state
    while state.is_open:
        due = state.pop_due(tx.now)
        if due is None:
            return
        kind, ref = due
        if kind == "timer":
            timer = state.timers[ref]  # type: ignore[index]
            timer.fire_at = NEVER
            tx.record(TimerFired(timer.timer_id, timer.started_event_id))
        elif kind == "activity":
            _activity(tx, state.activities[ref])  # type: ignore[index]
        elif kind == "workflow_task":
            _workflow_task(tx)
        else:
            closing.time_out(tx, whole_chain=kind == "execution")


def _workflow_task(tx: Transition) -> None:
    task = tx.state.workflow_task
    if task is None:
        tx.schedule_workflow_task()  # The start delay or back-off is over.
    elif task.is_started:
        workflow_tasks.time_out(tx)
    else:
        # The delay after a failed task is over; whoever serves the run may begin it.
        workflow_tasks.make_ready(tx, task)


def _activity(tx: Transition, activity: ActivityState) -> None:
    attributes, now = activity.attributes, tx.now
    activity.deadline = NEVER  # This one has struck; whatever goes on sets the next.
    if NEVER < activity.expires_at <= now:
        activities.time_out(tx, activity, TimeoutType.SCHEDULE_TO_CLOSE)
    elif activity.is_started:
        started = activity.started_time
        if attributes.start_to_close_timeout and started + attributes.start_to_close_timeout <= now:
            activities.time_out(tx, activity, TimeoutType.START_TO_CLOSE)
        else:
            activities.time_out(tx, activity, TimeoutType.HEARTBEAT)
    elif activity.backs_off:
        activities.make_ready(tx, activity)
    else:
        activities.time_out(tx, activity, TimeoutType.SCHEDULE_TO_START)
