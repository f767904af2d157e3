"""Signals, updates and queries: from a message to the handler's task (temporal-semantics 3.5 - 3.7)."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.exceptions import CancelledError
from durable_nb.model.attributes import (
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    WorkflowExecutionSignaled,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
)
from durable_nb.model.tasks import QueryAnswer, UpdateRequest
from durable_nb.policies import RawValue
from durable_nb.runtime.errors import ContinueAsNewError, DeadlockInterrupt, ReadOnlyContextError
from durable_nb.runtime.handlers import (
    HandlerDefinition,
    HandlerUnfinishedPolicy,
    QueryDefinition,
    SignalDefinition,
    UnfinishedSignalHandlersWarning,
    UnfinishedUpdateHandlersWarning,
    UpdateDefinition,
    warn_async_query,
    warn_old_dynamic,
)
from durable_nb.runtime.info import UpdateInfo, current_update
from durable_nb.runtime.interceptor import HandleQueryInput, HandleSignalInput, HandleUpdateInput
from durable_nb.runtime.interrupts import is_from_keyboard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from durable_nb.model.events import Event
    from durable_nb.model.failure import Failure
    from durable_nb.model.payload import Payload
    from durable_nb.model.tasks import QueryRequest
    from durable_nb.runtime.instance import WorkflowInstance

logger = logging.getLogger("durable_nb.runtime")


class RunningHandler(NamedTuple):
    """A handler that has not finished."""

    name: str
    policy: HandlerUnfinishedPolicy
    id: str


class Mail:
    """Messages of one run that are not done with; made when the first one comes."""

    __slots__ = ("buffered", "count", "rejected", "signals", "updates")

    def __init__(self) -> None:
        self.buffered: dict[str, list[WorkflowExecutionSignaled]] = {}
        """Signals that have no handler yet, by name."""
        self.signals: dict[int, RunningHandler] = {}
        self.updates: dict[str, RunningHandler] = {}
        """Handlers that run, by number and by update ID."""
        self.count = 0
        self.rejected: dict[str, Failure] = {}
        """Updates that this task rejected."""

    @property
    def busy(self) -> bool:
        """Whether a handler runs."""
        return bool(self.signals or self.updates)


def mail_of(run: WorkflowInstance) -> Mail:
    """The run's messages, made if there were none."""
    if run.mail is None:
        run.mail = Mail()
    return run.mail


def handler_arguments(
    run: WorkflowInstance, name: str, payloads: Sequence[Payload] | None, definition: HandlerDefinition
) -> list[Any]:
    """Decoded arguments; a dynamic handler gets the name and the raw values."""
    payloads = payloads or []
    if definition.name is not None:
        return run.decode(payloads, definition.arg_types)
    if definition.dynamic_vararg:
        hints = definition.arg_types
        return [name, *run.decode(payloads, hints[1:] if hints else None)]
    return [name, raw_values(payloads)]


def raw_values(payloads: Sequence[Payload]) -> list[RawValue]:
    """What a dynamic definition gets as its arguments."""
    return [RawValue(payload) for payload in payloads]


# -- signals -------------------------------------------------------------------------------------------------------


def on_signaled(run: WorkflowInstance, event: Event) -> None:
    """A WorkflowExecutionSignaled event."""
    run.messages.append((event.event_id, deliver_signal, (run, event.attributes)))


def deliver_signal(run: WorkflowInstance, signal: WorkflowExecutionSignaled) -> None:
    """Job: start the handler, or keep the signal until there is one."""
    definition = run.signals.get(signal.signal_name) or run.signals.get(None)
    if definition is None:
        mail_of(run).buffered.setdefault(signal.signal_name, []).append(signal)
    else:
        _start_signal_handler(run, definition, signal)


def _start_signal_handler(
    run: WorkflowInstance, definition: SignalDefinition, signal: WorkflowExecutionSignaled
) -> None:
    name = signal.signal_name
    try:
        args = handler_arguments(run, name, signal.input, definition)
    except Exception:
        logger.exception(
            "Failed deserializing signal input for %s on workflow %s with ID %s and run ID %s, dropping the signal",
            name,
            run.workflow_type,
            run.workflow_id,
            run.run_id,
            extra={"temporal_workflow": run.logger_details},
        )
        return
    mail = mail_of(run)
    mail.count += 1
    mail.signals[mail.count] = RunningHandler(name, definition.unfinished_policy, "")
    message = HandleSignalInput(signal=name, args=args, headers=signal.header or {})
    run.loop.create_task(_run_signal(run, message, mail, mail.count), name=f"signal: {name}")


async def _run_signal(run: WorkflowInstance, message: HandleSignalInput, mail: Mail, number: int) -> None:
    try:
        await run.inbound.handle_signal(message)
    except BaseException as error:
        run.handler_failed(error)
    finally:
        run.loop.soon(mail.signals.pop, number, None)


def set_signal_handler(run: WorkflowInstance, name: str | None, handler: Callable[..., Any] | None) -> None:
    """Replace or remove a handler; a new one gets the signals that waited for it."""
    run.assert_writable("set signal handler")
    run.signals = dict(run.signals)
    if handler is None:
        run.signals.pop(name, None)
        return
    definition = run.signals[name] = SignalDefinition(name, handler, is_method=False)
    if definition.dynamic_vararg:
        warn_old_dynamic("signals", 4)
    if run.mail is None:
        return
    if name is not None:
        waiting = run.mail.buffered.pop(name, [])
    else:
        waiting = [signal for signals in run.mail.buffered.values() for signal in signals]
        run.mail.buffered.clear()
    for signal in waiting:
        _start_signal_handler(run, definition, signal)


# -- updates -------------------------------------------------------------------------------------------------------


class Update:
    """An update that was delivered: remembers the event that accepted it."""

    __slots__ = ("accepted_event_id", "request")

    def __init__(self, request: UpdateRequest) -> None:
        self.request = request
        self.accepted_event_id = 0

    def recorded(self, event: Event) -> None:
        """Its WorkflowExecutionUpdateAccepted event is in the history."""
        self.accepted_event_id = event.event_id


def request_of(attributes: WorkflowExecutionUpdateAccepted) -> UpdateRequest:
    """The request that an accepted event records."""
    request = attributes.accepted_request or UpdateRequestAttributes()
    meta = request.meta or UpdateMeta()
    given = request.input or UpdateInput()
    return UpdateRequest(
        update_id=meta.update_id or attributes.protocol_instance_id,
        name=given.name,
        args=given.args or [],
        header=given.header or {},
        identity=meta.identity,
    )


def deliver_update(run: WorkflowInstance, request: UpdateRequest, validate: bool) -> None:
    """Job: start the task that validates, accepts and handles."""
    run.loop.create_task(_run_update(run, Update(request), validate), name=f"update: {request.name}")


async def _run_update(run: WorkflowInstance, update: Update, validate: bool) -> None:
    request = update.request
    mail = mail_of(run)
    current_update.set(UpdateInfo(id=request.update_id, name=request.name))
    accepted = False
    try:
        definition = _find_update(run, request.name)
        mail.updates[request.update_id] = RunningHandler(request.name, definition.unfinished_policy, request.update_id)
        args = handler_arguments(run, request.name, request.args, definition)
        message = HandleUpdateInput(id=request.update_id, update=request.name, args=args, headers=request.header)
        if validate:
            definition.check_count(len(args))
        if validate and definition.validator is not None:
            with run.as_read_only(in_query_or_validator=True):
                run.inbound.handle_update_validator(message)
            # The validator may have changed them.
            message.args = handler_arguments(run, request.name, request.args, definition)
        accepted = True
        _accept(run, update)
        result = await run.inbound.handle_update_handler(message)
        _complete(run, update, UpdateOutcome(success=run.converter.to_payloads([result])))
    except (Exception, asyncio.CancelledError) as error:
        _update_failed(run, update, accepted, error)
    except ContinueAsNewError:
        run.fail_task(RuntimeError("Cannot continue as new from an update handler"))
    except BaseException as error:
        run.handler_failed(error)
    finally:
        mail.updates.pop(request.update_id, None)


def _find_update(run: WorkflowInstance, name: str) -> UpdateDefinition:
    definition = run.updates.get(name) or run.updates.get(None)
    if definition is None:
        known = " ".join(sorted(each for each in run.updates if each))
        raise RuntimeError(
            f"Update handler for '{name}' expected but not found, and there is no dynamic handler. "
            f"known updates: [{known}]"
        )
    return definition


def _accept(run: WorkflowInstance, update: Update) -> None:
    request = update.request
    run.emit(
        WorkflowExecutionUpdateAccepted(
            protocol_instance_id=request.update_id,
            accepted_request_message_id=f"{request.update_id}/request",
            accepted_request_sequencing_event_id=run.started_event_id - 1,
            accepted_request=UpdateRequestAttributes(
                meta=UpdateMeta(update_id=request.update_id, identity=request.identity),
                input=UpdateInput(header=request.header or None, name=request.name, args=request.args or None),
            ),
        ),
        update,
    )
    run.accepted_update = True


def _complete(run: WorkflowInstance, update: Update, outcome: UpdateOutcome) -> None:
    run.emit(
        WorkflowExecutionUpdateCompleted(
            meta=UpdateMeta(update_id=update.request.update_id, identity=update.request.identity),
            accepted_event_id=update.accepted_event_id,
            outcome=outcome,
        )
    )


def _update_failed(run: WorkflowInstance, update: Update, accepted: bool, error: BaseException) -> None:
    """Before acceptance any exception rejects; after it, the rules for workflows decide (temporal-semantics 2.9)."""
    if run.evicted:
        return
    if isinstance(error, asyncio.CancelledError):
        error = CancelledError(f"Cancellation raised within update {error}")
    if isinstance(error, ReadOnlyContextError) or (accepted and not run.is_failure_exception(error)):
        run.fail_task(error)
    elif accepted:
        _complete(run, update, UpdateOutcome(failure=run.to_failure(error)))
    else:
        mail_of(run).rejected[update.request.update_id] = run.to_failure(error)


def set_update_handler(
    run: WorkflowInstance,
    name: str | None,
    handler: Callable[..., Any] | None,
    validator: Callable[..., None] | None,
) -> None:
    """Replace or remove a handler."""
    run.assert_writable("set update handler")
    run.updates = dict(run.updates)
    if handler is None:
        run.updates.pop(name, None)
        return
    definition = UpdateDefinition(name, handler, is_method=False)
    if validator is not None:
        definition.set_validator(validator)
    run.updates[name] = definition


# -- queries -------------------------------------------------------------------------------------------------------


def answer_query(run: WorkflowInstance, request: QueryRequest) -> QueryAnswer:
    """Run the handler to its end and encode what it says."""
    task = run.loop.spawn(_run_query(run, request), f"query: {request.name}")
    # Only what the query itself makes ready runs here: after a workflow task nothing else is left.
    run.loop.run_ready()
    if not task.done():
        task.cancel()
        run.loop.run_ready()
        problem = RuntimeError(f"query '{request.name}' did not answer at once: it may not wait for anything")
        return QueryAnswer(failure=run.to_failure(problem))
    return task.result()  # type: ignore[no-any-return]


async def _run_query(run: WorkflowInstance, request: QueryRequest) -> QueryAnswer:
    try:
        with run.as_read_only(in_query_or_validator=True):
            definition = run.queries.get(request.name) or run.builtin_query(request.name) or run.queries.get(None)
            if definition is None:
                known = " ".join(sorted([*(each for each in run.queries if each), *run.builtin_query_names]))
                raise RuntimeError(
                    f"Query handler for '{request.name}' expected but not found, known queries: [{known}]"
                )
            args = handler_arguments(run, request.name, request.args, definition)
            question = HandleQueryInput(id="", query=request.name, args=args, headers=request.header)
            result = await run.inbound.handle_query(question)
            return QueryAnswer(result=run.converter.to_payloads([result]))
    except BaseException as error:  # ``sys.exit()`` in a handler ends the query, not the engine.
        if isinstance(error, DeadlockInterrupt | GeneratorExit) or is_from_keyboard(error):
            raise
        return QueryAnswer(failure=run.to_failure(error))


def set_query_handler(run: WorkflowInstance, name: str | None, handler: Callable[..., Any] | None) -> None:
    """Replace or remove a handler."""
    run.assert_writable("set query handler")
    run.queries = dict(run.queries)
    if handler is None:
        run.queries.pop(name, None)
        return
    definition = run.queries[name] = QueryDefinition(name, handler, is_method=False)
    if definition.is_async:
        warn_async_query(4)
    if definition.dynamic_vararg:
        warn_old_dynamic("queries", 4)


# -- unfinished handlers -------------------------------------------------------------------------------------------

_WAIT = (
    "You can wait for all update and signal handlers to complete by using `await workflow.wait_condition(lambda: "
    "workflow.all_handlers_finished())`. Or, if it is all right to interrupt them, switch this warning off in the "
    "decorator: `@workflow.{kind}(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)`."
)


def warn_unfinished(mail: Mail) -> None:
    """Warn about handlers that the closing of the run cuts off."""
    updates = [each for each in mail.updates.values() if each.policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON]
    if updates:
        unfinished = json.dumps([{"name": each.name, "id": each.id} for each in updates])
        warnings.warn(
            "[TMPRL1102] Workflow finished while update handlers are still running. Their work may have been cut "
            "off, and the clients that sent the updates get an error instead of the result. "
            f"{_WAIT.format(kind='update')} The following updates were unfinished: {unfinished}",
            UnfinishedUpdateHandlersWarning,
            stacklevel=2,
        )
    names = Counter(
        each.name for each in mail.signals.values() if each.policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON
    )
    if names:
        unfinished = json.dumps([{"name": name, "count": count} for name, count in names.most_common()])
        warnings.warn(
            "[TMPRL1102] Workflow finished while signal handlers are still running. Their work may have been cut "
            f"off. {_WAIT.format(kind='signal')} The following signals were unfinished: {unfinished}",
            UnfinishedSignalHandlersWarning,
            stacklevel=2,
        )
