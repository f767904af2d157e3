"""History → state: the only code that changes what a history determines.

``apply`` dispatches on the kind of event to the machine that owns it. The state after a transition equals the fold of
the whole history by construction, because decisions change nothing but by appending events. The rules that no single
machine can see are held here: ids without a hole, nothing before Started, nothing after a closing event, and nothing
between the start and the end of a workflow task (temporal-semantics 8.3, rules 1, 3 and 9).
"""

from __future__ import annotations

from collections.abc import Callable

from durable_nb.core.machines import activity, child, execution, external, timer, update, workflow_task
from durable_nb.core.machines.machine import IllegalTransitionError
from durable_nb.core.state import ExecutionState
from durable_nb.model.attributes import (
    Attributes,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskTimedOut,
)
from durable_nb.model.events import Event

Apply = Callable[[ExecutionState, Event], None]

MACHINES = (execution, workflow_task, activity, timer, child, external, update)

_APPLY: dict[type[Attributes], Apply] = {}
for _machine in MACHINES:
    _APPLY.update(_machine.APPLY)

ENDS_TASK = frozenset(
    {
        WorkflowTaskCompleted,
        WorkflowTaskFailed,
        WorkflowTaskTimedOut,
        WorkflowExecutionTerminated,
        WorkflowExecutionTimedOut,
    }
)
"""What may follow WorkflowTaskStarted."""


def apply(state: ExecutionState, event: Event) -> None:
    """Fold one event into the state.

    Raises
    ------
    machines.machine.IllegalTransitionError
        The event cannot happen in this state: the history is damaged or a decision is wrong.
    """
    kind = type(event.attributes)
    event_id = event.event_id
    if event_id != state.next_event_id:
        raise IllegalTransitionError("history", f"waiting for event {state.next_event_id}", kind, event_id)
    if state.close_event_id:
        raise IllegalTransitionError("execution", "closed", kind, event_id)
    if event_id == 1 and kind is not WorkflowExecutionStarted:
        raise IllegalTransitionError("execution", "new", kind, event_id)
    task = state.workflow_task
    if task is not None and task.started_event_id and kind not in ENDS_TASK:
        raise IllegalTransitionError("workflow task", "started", kind, event_id)
    _APPLY[kind](state, event)
    state.next_event_id = event_id + 1
    state.last_event_time = event.event_time
