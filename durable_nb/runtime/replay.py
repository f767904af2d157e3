"""Replay of a recorded history against code: the same commands, or the first difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durable_nb.model.attributes import (
    WorkflowExecutionStarted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.errors import DeadlockError, DeadlockInterrupt, NondeterminismError
from durable_nb.runtime.instance import WorkflowInstance
from durable_nb.runtime.interrupts import is_from_keyboard
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.tasks import replay
from durable_nb.runtime.watchdog import Watch


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


def instance_of(
    definition: WorkflowDefinition,
    options: RuntimeOptions,
    workflow_id: str,
    events: Sequence[Event],
    *,
    namespace: str,
    run_id: str,
) -> WorkflowInstance:
    """An instance for the run of a history; ``run_id`` "" for the one that its first event names.

    Raises
    ------
    ValueError
        The history does not begin as one.
    """
    started = started_event(events)
    return WorkflowInstance(
        definition,
        options,
        namespace=namespace,
        workflow_id=workflow_id,
        run_id=run_id or started.original_execution_run_id,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
    )


def begun_anew(events: Sequence[Event]) -> list[Event]:
    """The history with a workflow task that failed or timed out last begun anew, as the next worker would do.

    Whether the code gets through this one now is what such a history is replayed for.
    """
    last = events[-1].attributes
    failed = isinstance(last, WorkflowTaskFailed) and last.cause is not WorkflowTaskFailedCause.RESET_WORKFLOW
    return list(events[:-1] if failed or isinstance(last, WorkflowTaskTimedOut) else events)


def replay_history(
    definition: WorkflowDefinition,
    options: RuntimeOptions,
    workflow_id: str,
    events: Sequence[Event],
    *,
    namespace: str = "ReplayNamespace",
    run_id: str = "",
    at_rest: bool = False,
    watch: Watch | None = None,
) -> ReplayOutcome:
    """Replay a whole history, or the beginning of one, on ``definition``.

    Never raises for what workflow code does; a history that has gaps is a failure, too.

    Parameters
    ----------
    at_rest
        The history is that of an open run as it stands: a command beyond its end is a difference too. A workflow
        task that has begun is not run.
    watch
        Interrupts a replay that takes too long.
    """
    run = instance_of(definition, options, workflow_id, events, namespace=namespace, run_id=run_id)
    failure: Exception | None = None
    try:
        _check_ids(events)
        _watched(watch, run, _whole(events) if at_rest else list(events))
    except NondeterminismError as error:
        failure = _beyond(error, events[-1]) if at_rest and error.event_id > events[-1].event_id else error
    except Exception as error:
        failure = error
    except BaseException as error:
        if is_from_keyboard(error):
            raise
        failure = RuntimeError(f"{type(error).__name__} left workflow code: {error}")
    finally:
        run.evict()
    return ReplayOutcome(run.run_id, failure)


def _whole(events: Sequence[Event]) -> list[Event]:
    """The history up to a point where nothing can be missing, so that the matching looks for what is too much."""
    found = list(events)
    if isinstance(found[-1].attributes, WorkflowTaskStarted):
        found.pop()
    if not isinstance(found[-1].attributes, WorkflowTaskScheduled):
        last = found[-1]
        found.append(Event(last.event_id + 1, last.event_time, WorkflowTaskScheduled()))
    return found


def _beyond(error: NondeterminismError, last: Event) -> NondeterminismError:
    """The error for a command that comes after all that was recorded; ``recorded`` is empty then."""
    return NondeterminismError(
        f"{error}\n  history    ends with event {last.event_id}: the code asks for more than was recorded",
        event_id=last.event_id, recorded="", actual=error.actual, where=error.where,
    )  # fmt: skip


def _watched(watch: Watch | None, run: WorkflowInstance, events: list[Event]) -> None:
    if watch is None:
        replay(run, events)
        return
    watch.arm(run)
    try:
        replay(run, events)
    except DeadlockInterrupt:
        raise DeadlockError(watch.disarm()) from None
    except BaseException:
        watch.disarm()
        raise
    if deadlock := watch.disarm():
        raise DeadlockError(deadlock)


def _check_ids(events: Sequence[Event]) -> None:
    for expected, event in enumerate(events, 1):
        if event.event_id != expected:
            raise ValueError(f"the history has a gap: event {expected} is missing, event {event.event_id} is there")
