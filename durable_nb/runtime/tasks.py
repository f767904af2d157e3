"""What the host does with an instance: workflow tasks, local activities, queries, eviction.

Each of these is a method of ``WorkflowInstance``. They never raise for what workflow code does: its errors become the
outcome (temporal-semantics 2.8 and 2.9).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from durable_nb.model.attributes import SdkMetadata, WorkflowExecutionFailed, WorkflowTaskFailed, WorkflowTaskTimedOut
from durable_nb.model.commands import (
    Command,
    WorkflowTaskCompletion,
    WorkflowTaskFailure,
    WorkflowTaskOutcome,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.tasks import QueryAnswer
from durable_nb.runtime.async_exceptions import keep_for_ever
from durable_nb.runtime.errors import DeadlockInterrupt, NondeterminismError, StaleInstanceError
from durable_nb.runtime.flags import CORE_FLAGS
from durable_nb.runtime.local_activities import locals_of
from durable_nb.runtime.loop import Entered
from durable_nb.runtime.messages import answer_query, warn_unfinished

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.model.failure import Failure
    from durable_nb.model.tasks import QueryRequest, WorkflowTask
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.local_activities import LocalEnd

logger = logging.getLogger("durable_nb.worker._workflow_instance")


_MOST_CLOSINGS = 1000
_WRITTEN_IN_PYTHON = (FunctionType, MethodType, partial)


def activate(run: WorkflowInstance, task: WorkflowTask) -> WorkflowTaskOutcome:
    """Take in the events of a workflow task and run the code.

    After a failure, and after a completion that closes the run, the instance is of no further use: evict it.

    Raises
    ------
    StaleInstanceError
        The events do not begin where this instance stands.
    """
    _check_follows(run, task)
    with Entered(run.loop):
        try:
            if not run.feed(task.events, task.updates):
                raise StaleInstanceError("the events of the workflow task do not end with its start")
        except StaleInstanceError:
            raise
        except BaseException as error:
            run.fail_task(error)
        return _outcome(run)


def _check_follows(run: WorkflowInstance, task: WorkflowTask) -> None:
    first = task.events[0] if task.events else None
    follows = first is not None and (
        first.event_id == (run.started_event_id + 1 if run.started_event_id else 1)
        # A task whose updates were all rejected leaves no events: the ids of its schedule and start are used again.
        or (run.start_may_be_dropped and first.event_id == run.started_event_id - 1)
    )
    if first is None or not follows:
        raise StaleInstanceError(f"run {task.run_id}: the events of the task do not continue the cached instance")
    if isinstance(first.attributes, (WorkflowTaskFailed, WorkflowTaskTimedOut)):
        raise StaleInstanceError(f"run {task.run_id}: what the cached instance did was refused")


def resolve_local_activity(run: WorkflowInstance, seq: int, end: LocalEnd) -> WorkflowTaskOutcome | None:
    """A local activity is over. None when no task is open: the next ``activate`` takes the outcome in."""
    locals_of(run).outcomes.append((seq, end))
    if not run.task_open or run.evicted:
        return None
    with Entered(run.loop):
        try:
            run.follow_up()
        except BaseException as error:
            run.fail_task(error)
        return _outcome(run)


def heartbeat(run: WorkflowInstance) -> WorkflowTaskCompletion:
    """Complete the open task with what there is so far, and ask for another one to carry on in."""
    completion = _completion(run)
    completion.force_new_task = True
    return completion


def _outcome(run: WorkflowInstance) -> WorkflowTaskOutcome:
    error = run.task_error
    if error is not None:
        return _failure(run, error)
    if run.locals is not None and run.locals.open and not run.terminal:
        return run.locals.pending()
    if run.terminal and run.mail is not None and run.mail.busy:
        try:
            warn_unfinished(run.mail)
        except Warning as warning:  # where warnings are errors, they are not the workflow's
            logger.warning("%s", warning)
    return _completion(run)


def _completion(run: WorkflowInstance) -> WorkflowTaskCompletion:
    commands = [each.command() for each in run.seal()]
    rejected: dict[str, Failure] = {}
    if run.mail is not None and run.mail.rejected:
        rejected, run.mail.rejected = run.mail.rejected, {}
    run.start_may_be_dropped = bool(rejected) and not commands
    return WorkflowTaskCompletion(
        commands=commands,
        rejected_updates=rejected,
        sdk_metadata=_new_flags(run),
        current_details=run.current_details,
    )


def _new_flags(run: WorkflowInstance) -> SdkMetadata | None:
    known, lang = run.core_flags, run.new_lang_flags
    if known >= CORE_FLAGS and not lang:
        return None
    core = CORE_FLAGS - known
    run.core_flags = CORE_FLAGS if known <= CORE_FLAGS else known | CORE_FLAGS
    run.new_lang_flags = frozenset()
    options = run.options
    return SdkMetadata(
        core_used_flags=sorted(core),
        lang_used_flags=sorted(lang),
        sdk_name=options.sdk_name,
        sdk_version=options.sdk_version,
    )


def _failure(run: WorkflowInstance, error: BaseException) -> WorkflowTaskOutcome:
    run.task_open = False
    if isinstance(error, DeadlockInterrupt):
        # The watchdog says where; the place where the interrupt arrived would only mislead.
        error = error.with_traceback(None)
    cause = WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE
    if isinstance(error, NondeterminismError):
        cause = WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR
        if run.options.nondeterminism_fails_workflow(run.failure_types):
            failed = WorkflowExecutionFailed(failure=run.to_failure(error))
            return WorkflowTaskCompletion(commands=[Command(failed)], sdk_metadata=_new_flags(run))
    logger.warning(
        "Failed activation on workflow %s with ID %s and run ID %s",
        run.workflow_type,
        run.workflow_id,
        run.run_id,
        exc_info=error,
        extra={
            "temporal_workflow": run.logger_details if run.started_event_id else {},
            "__temporal_error_identifier": "WorkflowTaskFailure",
        },
    )
    return WorkflowTaskFailure(cause=cause, failure=run.to_failure(error))


def replay(run: WorkflowInstance, events: list[Event]) -> None:
    """Replay a history from its first event; an open workflow task at its end is run, its commands discarded.

    Raises
    ------
    Exception
        Whatever failed: NondeterminismError, or what workflow code raised.
    """
    with Entered(run.loop):
        run.feed(events)
        if run.task_error is not None:
            raise run.task_error


def query(run: WorkflowInstance, request: QueryRequest) -> QueryAnswer:
    """Answer from the state as it is."""
    with Entered(run.loop):
        return answer_query(run, request)


def evict(run: WorkflowInstance) -> None:
    """End the run's coroutines and let go of everything; nothing that they still do has any effect."""
    if run.evicted:
        return
    run.evicted = True
    run.replaying = True  # so that the logger stays silent
    loop = run.loop
    with Entered(loop):
        tasks = [task for task in loop.tasks if not task.done()]
        stubborn = [task for task in tasks if not _end(task)]
        if stubborn:
            _leave(run, stubborn)
        # Now the tasks themselves, which would otherwise hold each other in rings. Their coroutines are finished, so
        # no workflow code runs; callbacks written in Python could be the author's and are left out.
        for task in tasks:
            task.cancel()
        while loop.ready:
            batch, loop.ready = loop.ready, []
            for handle in batch:
                if handle.callback is not None and not isinstance(handle.callback, _WRITTEN_IN_PYTHON):
                    _run_quietly(handle)
    _forget(run)


def _run_quietly(handle: Any) -> None:
    try:
        if handle.context is None:
            handle.callback(*handle.args)
        else:
            handle.context.run(handle.callback, *handle.args)
    except BaseException:  # noqa: S110 - the run is gone, and so is whoever would care
        pass


def _end(task: asyncio.Task[Any]) -> bool:
    """Close the coroutine of a task, as a step of it.

    ``asyncio.timeout``, which makes ``wait_for`` from Python 3.12 on, refuses to be used outside of a task: code that
    tries again without end would not even wait in between.
    """
    loop = task.get_loop()
    asyncio.tasks._enter_task(loop, task)
    try:
        return _close(task.get_coro())
    finally:
        asyncio.tasks._leave_task(loop, task)


def _close(coroutine: Any) -> bool:
    """Close a coroutine and those that it awaits, the innermost first, even if they await while being closed.

    Whether that could be done: code can catch everything and go on.
    """
    for _ in range(_MOST_CLOSINGS):
        innermost = coroutine
        while getattr(awaited := getattr(innermost, "cr_await", None), "cr_frame", None) is not None:
            innermost = awaited
        try:
            innermost.close()
        except RuntimeError:
            continue  # "coroutine ignored GeneratorExit": it stands at another await now.
        except BaseException:  # noqa: S110 - the run is gone, and so is whoever would care
            pass
        if innermost is coroutine:
            return True
    return False


def _leave(run: WorkflowInstance, tasks: list[asyncio.Task[Any]]) -> None:
    """Say that coroutines cannot be ended, and keep them: Python would try in vain for ever when it frees them."""
    for task in tasks:
        keep_for_ever(task.get_coro())
    names = ", ".join(task.get_name() for task in tasks)
    logger.warning(
        "Timed out running eviction job for run ID %s: %s catches everything, GeneratorExit and CancelledError too, "
        "and goes on. It stays in memory. Catch Exception, not BaseException, or raise again",
        run.run_id,
        names,
    )


def _forget(run: WorkflowInstance) -> None:
    loop = run.loop
    loop.tasks, loop.ready = [], []
    run.main_task = None
    run.object = None
    run.args = None
    run.by_event = {}
    run.conditions = []
    run.locals = run.mail = None
    for issued in (*run.issued, *run.unmatched):
        issued.owner = None  # the owner holds the command, too
    run.issued, run.unmatched, run.immediate, run.messages, run.others = [], [], [], [], []
    run.inbound = run.outbound = None  # type: ignore[assignment]
    loop.instance = None  # type: ignore[assignment]
