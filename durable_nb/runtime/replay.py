"""Replay of a recorded history against code: the same commands, or the first difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durable_nb.model.attributes import WorkflowExecutionStarted
from durable_nb.model.events import Event
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.instance import WorkflowInstance
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.tasks import replay


class ReplayOutcome(NamedTuple):
    """``failure`` is None when the code agrees with the history."""

    run_id: str
    failure: Exception | None


def started_event(events: Sequence[Event]) -> WorkflowExecutionStarted:
    """Attributes of the event that a history must begin with.

    Raises
    ------
    ValueError
        It does not begin so.
    """
    attributes = events[0].attributes if events else None
    if not isinstance(attributes, WorkflowExecutionStarted) or events[0].event_id != 1:
        raise ValueError("a history begins with event 1, WorkflowExecutionStarted: was it cut at the front?")
    return attributes


def replay_history(
    definition: WorkflowDefinition,
    options: RuntimeOptions,
    workflow_id: str,
    events: Sequence[Event],
    *,
    namespace: str = "ReplayNamespace",
    run_id: str = "",
) -> ReplayOutcome:
    """Replay a whole history, or the beginning of one, on ``definition``.

    Never raises for what workflow code does; a history that has gaps is a failure, too.
    """
    started = started_event(events)
    run = WorkflowInstance(
        definition,
        options,
        namespace=namespace,
        workflow_id=workflow_id,
        run_id=run_id or started.original_execution_run_id,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
    )
    failure: Exception | None = None
    try:
        _check_ids(events)
        replay(run, list(events))
    except Exception as error:
        failure = error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        failure = RuntimeError(f"{type(error).__name__} left workflow code: {error}")
    finally:
        run.evict()
    return ReplayOutcome(run.run_id, failure)


def _check_ids(events: Sequence[Event]) -> None:
    for expected, event in enumerate(events, 1):
        if event.event_id != expected:
            raise ValueError(f"the history has a gap: event {expected} is missing, event {event.event_id} is there")
