"""From events to activations: what happens in one workflow task (temporal-semantics 2.2, 2.3, 8.3, 9.5).

``feed`` cuts events into workflow tasks. Each task becomes one activation, and further ones where the code's own
cancellations or local activities answer within it. In an activation, jobs are applied set by set: signals and updates
first, then everything else, and after each set the code runs until it is quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.model.attributes import (
    WorkflowExecutionCompleted,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.runtime import history, messages
from durable_nb.runtime.chain import build_chain
from durable_nb.runtime.conditions import check_conditions
from durable_nb.runtime.divergence import malformed
from durable_nb.runtime.flags import MOVE_TERMINAL_COMMAND, with_more
from durable_nb.runtime.interceptor import ExecuteWorkflowInput
from durable_nb.runtime.issued import Issued, Job, in_order
from durable_nb.runtime.matching import match_commands
from durable_nb.runtime.operation import PROCESS_JOBS_AS_SINGLE_BATCH
from durable_nb.runtime.siphash import randomness_seed

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.model.tasks import UpdateRequest
    from durable_nb.runtime.instance import WorkflowInstance

Delivered = tuple[float, Callable[..., None], tuple[Any, ...]]
"""A signal or update: the event id by which it is ordered, and the job."""

NO_OBJECT: Any = object()
"""Stands for the workflow object until it is made."""

_INTERRUPTED = frozenset(
    {WorkflowTaskFailed, WorkflowTaskTimedOut, WorkflowExecutionTerminated, WorkflowExecutionTimedOut}
)
"""What may follow WorkflowTaskStarted instead of a completion: the task counts for nothing."""


# -- events to workflow tasks --------------------------------------------------------------------------------------


def feed(run: WorkflowInstance, events: list[Event], updates: Sequence[UpdateRequest] = ()) -> bool:
    """Take in events: replay completed tasks, run the open one if the events end with its start.

    Returns whether there was an open one.

    Raises
    ------
    NondeterminismError
        A replayed task did something else than history says.
    BaseException
        What failed a replayed task; what fails the open one is left in ``run.task_error``.
    """
    if run.started_event_id == 0:
        build_chain(run)
    at, end = 0, len(events)
    while at < end:
        event = events[at]
        attributes: Any = event.attributes
        kind = type(attributes)
        if kind is WorkflowTaskCompleted:
            _note_flags(run, attributes)
            at = match_commands(run, events, at + 1)
            continue
        if kind is WorkflowTaskStarted:
            following = events[at + 1].attributes if at + 1 < end else None
            if following is None:
                _begin_task(run, event, attributes, replaying=False)
                for request in updates:
                    run.messages.append((event.event_id, messages.deliver_update, (run, request, True)))
                _run_task(run)
                return True
            if type(following) is WorkflowTaskCompleted:
                _begin_task(run, event, attributes, replaying=True)
                _note_flags(run, following)
                history.look_ahead(run, events, at + 2)
                _run_task(run)
                if run.task_error is not None:
                    raise run.task_error
                seal(run)
            elif type(following) not in _INTERRUPTED:
                raise malformed(run, events[at + 1], "stands between the start and the end of a workflow task")
        else:
            handler = history.DISPATCH.get(kind)
            if handler is None:
                raise malformed(run, event, "does not follow a completed workflow task")
            handler(run, event)
        at += 1
    return False


def _begin_task(run: WorkflowInstance, event: Event, attributes: WorkflowTaskStarted, *, replaying: bool) -> None:
    run.replaying = replaying
    run.started_event_id = event.event_id
    run.history_length = event.event_id
    run.history_size = attributes.history_size_bytes
    run.suggest_continue_as_new = attributes.suggest_continue_as_new
    run.task_open = True
    if run.first_task_time == 0:
        run.first_task_time = event.event_time
    if event.event_time > run.time_us and (run.others or run.messages or run.locals is None or not run.locals.open):
        # A task that only carries on with local activities is a heartbeat: no time passes for the code.
        run.time_us = event.event_time


def _note_flags(run: WorkflowInstance, attributes: WorkflowTaskCompleted) -> None:
    metadata = attributes.sdk_metadata
    if metadata is not None:
        run.core_flags = with_more(run.core_flags, metadata.core_used_flags)
        run.lang_flags = with_more(run.lang_flags, metadata.lang_used_flags)


def seal(run: WorkflowInstance) -> list[Issued]:
    """End the task: what the code issued now waits for its events."""
    moves_terminal = not run.replaying or MOVE_TERMINAL_COMMAND in run.core_flags
    run.unmatched = in_order(run.issued, moves_terminal)
    run.issued = []
    run.task_open = False
    return run.unmatched


# -- one workflow task ---------------------------------------------------------------------------------------------


def _run_task(run: WorkflowInstance) -> None:
    """All activations of one workflow task."""
    delivered, others = run.messages, run.others
    run.messages, run.others = [], []
    if run.reseeds:
        at = 1 if others and others[0][0] is start else 0
        others[at:at] = [(_reseed, (run, run_id)) for run_id in run.reseeds]
        run.reseeds = []
    if len(delivered) > 1:
        delivered.sort(key=_sequence)
    run.single_batch = PROCESS_JOBS_AS_SINGLE_BATCH in run.lang_flags
    patched, run.patch_notified = run.patch_notified, False
    local = run.locals
    if delivered or others or patched:
        run.activation_index = 0
        if local is not None:
            others += local.recorded_jobs(run)
        _activation(run, delivered, others, patched)
    follow_up(run)


def _sequence(delivered: Delivered) -> float:
    return delivered[0]


def follow_up(run: WorkflowInstance) -> None:
    """Activations within the task that earlier ones of it made necessary."""
    while run.task_error is None and not run.terminal:
        jobs, run.immediate = run.immediate, []
        local = run.locals
        if local is not None:
            # Within an activation, what concerns local activities comes last.
            jobs += local.immediate
            local.immediate = []
            jobs += local.recorded_jobs(run) if jobs else local.next_jobs(run)
        if not jobs:
            return
        _activation(run, [], jobs, False)


def _activation(run: WorkflowInstance, delivered: list[Delivered], others: list[Job], patched: bool) -> None:
    run.accepted_update = False
    run.activation_index += 1
    # Rejected updates leave nothing in history, so they may not unblock conditions: a replay could not.
    always = bool(others) or patched or any(job is not messages.deliver_update for _, job, _ in delivered)
    try:
        if run.args is None:
            run.args = _decode_input(run)
        if run.single_batch:
            for _, job, args in delivered:
                job(*args)
            for job, args in others:
                job(*args)
            _run_until_quiet(run, always)
            return
        if patched:
            _instantiate(run)
        if delivered:
            for _, job, args in delivered:
                job(*args)
            _run_until_quiet(run, always)
        if others and run.task_error is None:
            for job, args in others:
                job(*args)
            _run_until_quiet(run, always)
    except Exception as error:
        if run.is_failure_exception(error):
            run.fail_workflow(error)
        else:
            run.fail_task(error)


def _run_until_quiet(run: WorkflowInstance, always: bool) -> None:
    loop = run.loop
    if run.object is NO_OBJECT:
        _instantiate(run)
    while loop.ready:
        loop.run_ready()
        if run.task_error is not None:
            return
        if run.conditions and (always or run.accepted_update):
            check_conditions(run)


# -- the workflow's own code ---------------------------------------------------------------------------------------


def on_started(run: WorkflowInstance, attributes: WorkflowExecutionStarted, event_time: int) -> None:
    """The WorkflowExecutionStarted event."""
    run.started = attributes
    run.started_time = event_time
    if run.options.contextual:
        run.converter, run.failure_converter = run.options.workflow_converters(run.namespace, run.workflow_id)
    run.others.append((start, (run,)))


def _decode_input(run: WorkflowInstance) -> list[Any]:
    payloads = run.started.input or []
    if run.definition.name is None:
        return [messages.raw_values(payloads)]
    return run.decode(payloads, run.definition.arg_types)


def _instantiate(run: WorkflowInstance) -> None:
    """Make the workflow object, lazily and on the loop: ``__init__`` is workflow code."""
    definition = run.definition
    if run.object is not NO_OBJECT:
        return
    if definition.cls is None:
        run.object = None
        return
    run.object = definition.cls(*run.args) if definition.takes_init else definition.cls()  # type: ignore[misc]
    if definition.dynamic_config_fn is not None:
        with run.as_read_only(in_query_or_validator=False):
            config = definition.dynamic_config_fn(run.object)
        if config is not None and config.failure_exception_types is not None:
            run.failure_types = tuple(config.failure_exception_types)


def start(run: WorkflowInstance) -> None:
    """Job: start the run method."""
    run.main_task = run.loop.create_task(_main(run), name="run")
    if run.cancel_pending:
        run.loop.soon(run.main_task.cancel)


async def _main(run: WorkflowInstance) -> None:
    try:
        definition, args = run.definition, run.args or []
        if not run.options.interceptor_classes:
            if definition.cls is None:
                result = await definition.run_fn(*args)
            else:
                result = await definition.run_fn(run.object, *args)
        else:
            result = await run.inbound.execute_workflow(
                ExecuteWorkflowInput(
                    type=definition.cls or definition.run_fn,  # type: ignore[arg-type]
                    run_fn=definition.run_fn,
                    args=args,
                    headers=run.started.header or {},
                )
            )
        run.emit(WorkflowExecutionCompleted(result=run.converter.to_payloads([result])))
    except BaseException as error:
        run.handler_failed(error)


def cancel(run: WorkflowInstance, reason: str) -> None:
    """Job: the run was asked to cancel. Only the run method is cancelled, handlers are not."""
    run.cancel_reason = reason
    if run.main_task is not None:
        # Not at once: the task may not have had its first slice, and must get the chance to catch this.
        run.loop.soon(run.main_task.cancel)
    elif run.single_batch:
        run.cancel_pending = True


def _reseed(run: WorkflowInstance, run_id: str) -> None:
    """Job: from the reset point on, randomness is that of the new run."""
    run.set_seed(randomness_seed(run_id))
