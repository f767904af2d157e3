"""History → state: the only code that changes what a history determines.

``apply`` dispatches on the kind of event to the machine that owns it. The state after a transition equals the fold of
the whole history by construction, because decisions change nothing but by appending events.
"""

from __future__ import annotations

from collections.abc import Callable

from durable_nb.core.machines import activity, child, execution, external, timer, update, workflow_task
from durable_nb.core.state import ExecutionState
from durable_nb.model.attributes import Attributes
from durable_nb.model.events import Event

Apply = Callable[[ExecutionState, Event], None]

_APPLY: dict[type[Attributes], Apply] = {}
for _machine in (execution, workflow_task, activity, timer, child, external, update):
    _APPLY.update(_machine.APPLY)


def apply(state: ExecutionState, event: Event) -> None:
    """Fold one event into the state.

    Raises
    ------
    machines.machine.IllegalTransitionError
        The event cannot happen in this state: the history is damaged or a decision is wrong.
    """
    _APPLY[type(event.attributes)](state, event)
    state.next_event_id = event.event_id + 1
    state.last_event_time = event.event_time
