"""One run: its state, and the activations that move it on (temporal-semantics 2.2, 2.3, 2.9).

``WorkflowInstance`` is what workflow code talks to through ``durable_nb.workflow`` and what the host drives: events
go in by ``activate``, commands come out. Live and replayed tasks take the same path: jobs from events, activation,
commands, and at the next task the commands are matched to the events that they became. What each kind of job and
command means lives in the modules beside this one. Invariant: between two calls of the host's methods no workflow
code runs.
"""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from durable_nb.exceptions import CancelledError, FailureError, is_cancelled_exception
from durable_nb.model.attributes import (
    Attributes,
    UserMetadata,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.failure import Failure
from durable_nb.runtime import builtin_queries, continuation, history, local_activities, messages, patches, tasks
from durable_nb.runtime.chain import build_chain
from durable_nb.runtime.conditions import check_conditions, sleep
from durable_nb.runtime.divergence import diverged, malformed
from durable_nb.runtime.errors import ReadOnlyContextError, WorkflowBeingEvictedError
from durable_nb.runtime.interceptor import ExecuteWorkflowInput
from durable_nb.runtime.issued import TERMINAL, Issued, Job, in_order
from durable_nb.runtime.loop import WorkflowLoop
from durable_nb.runtime.matching import match_commands
from durable_nb.runtime.operation import PROCESS_JOBS_AS_SINGLE_BATCH
from durable_nb.runtime.place import caller_place
from durable_nb.runtime.run_info import build_info
from durable_nb.runtime.siphash import randomness_seed
from durable_nb.runtime.timers import start_timer

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.model.payload import Payload
    from durable_nb.model.tasks import UpdateRequest, WorkflowTask
    from durable_nb.runtime.definition import WorkflowDefinition
    from durable_nb.runtime.handlers import QueryDefinition
    from durable_nb.runtime.info import Info
    from durable_nb.runtime.interceptor import WorkflowInboundInterceptor, WorkflowOutboundInterceptor
    from durable_nb.runtime.options import RuntimeOptions

_NO_OBJECT: Any = object()
_NO_FLAGS: frozenset[int] = frozenset()
_INTERRUPTED = frozenset(
    {WorkflowTaskFailed, WorkflowTaskTimedOut, WorkflowExecutionTerminated, WorkflowExecutionTimedOut}
)
"""What may follow WorkflowTaskStarted instead of a completion: the task counts for nothing."""


class WorkflowInstance:
    """One run of one definition; see the module.

    The host calls ``activate``, ``resolve_local_activity``, ``heartbeat``, ``query`` and ``evict``, which are written in
    ``tasks``. All other names are for the modules of the runtime.
    """

    __slots__ = (
        "_info",
        "_random",
        "_search_payloads",
        "_seed",
        "accepted_update",
        "args",
        "by_event",
        "cancel_pending",
        "cancel_reason",
        "conditions",
        "converted_memo",
        "converter",
        "core_flags",
        "current_details",
        "definition",
        "evicted",
        "failure_converter",
        "failure_types",
        "first_task_time",
        "history_length",
        "history_size",
        "immediate",
        "inbound",
        "in_query_or_validator",
        "issued",
        "lang_flags",
        "locals",
        "loop",
        "mail",
        "main_task",
        "messages",
        "namespace",
        "new_lang_flags",
        "object",
        "options",
        "others",
        "outbound",
        "patch_notified",
        "patches",
        "queries",
        "read_only",
        "replaying",
        "reseeds",
        "run_id",
        "seed_callbacks",
        "signals",
        "single_batch",
        "started",
        "started_event_id",
        "started_time",
        "suggest_continue_as_new",
        "task_error",
        "task_open",
        "task_queue",
        "task_suffix",
        "terminal",
        "time_us",
        "timer_seq",
        "activity_seq",
        "unmatched",
        "updates",
        "workflow_id",
        "workflow_type",
    )

    def __init__(
        self,
        definition: WorkflowDefinition,
        options: RuntimeOptions,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        task_queue: str,
    ) -> None:
        self.definition = definition
        self.options = options
        self.namespace = namespace
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.workflow_type = workflow_type
        self.task_queue = task_queue
        self.task_suffix = f" (workflow: {workflow_type}, id: {workflow_id}, run: {run_id})"
        self.loop = WorkflowLoop(self, guarded=options.guards and definition.sandboxed)
        self.converter = options.payload_converter
        self.failure_converter = options.failure_converter
        self.failure_types: tuple[type[BaseException], ...] = definition.failure_exception_types
        self.signals = definition.signals
        self.queries = definition.queries
        self.updates = definition.updates
        self.inbound: WorkflowInboundInterceptor = None  # type: ignore[assignment]  # set by build_chain
        self.outbound: WorkflowOutboundInterceptor = None  # type: ignore[assignment]
        self._begin_run()
        self._begin_empty_task()

    def _begin_run(self) -> None:
        """State that lasts as long as the run. What most runs never need is None until it is."""
        self.object: Any = _NO_OBJECT
        self.args: list[Any] | None = None
        self.main_task: asyncio.Task[Any] | None = None
        self.started: WorkflowExecutionStarted = None  # type: ignore[assignment]  # set by the first event
        self.started_time = 0
        self.first_task_time = 0
        self.cancel_reason: str | None = None
        self.cancel_pending = False
        self.terminal = False
        self.evicted = False
        self.current_details = ""
        self.timer_seq = 0
        self.activity_seq = 0
        self.by_event: dict[int, Any] = {}
        """What waits for later events, by the id of the event that the command became."""
        self.conditions: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self.mail: messages.Mail | None = None
        self.patches: patches.Patches | None = None
        self.locals: local_activities.Locals | None = None
        self.core_flags: frozenset[int] = _NO_FLAGS
        self.lang_flags: frozenset[int] = _NO_FLAGS
        self.seed_callbacks: Sequence[Callable[[int], None]] = ()
        self.converted_memo: dict[str, Any] | None = None
        self._info: Info | None = None
        self._random: random_module.Random | None = None
        self._seed: int | None = None
        self._search_payloads: dict[str, Payload] | None = None

    def _begin_empty_task(self) -> None:
        """State of the current task."""
        self.time_us = 0
        self.replaying = True
        self.read_only = False
        self.in_query_or_validator = False
        self.single_batch = False
        self.started_event_id = 0
        self.history_length = 0
        self.history_size = 0
        self.suggest_continue_as_new = False
        self.task_open = False
        self.task_error: BaseException | None = None
        self.accepted_update = False
        self.patch_notified = False
        self.new_lang_flags: frozenset[int] = _NO_FLAGS
        self.issued: list[Issued] = []
        self.unmatched: list[Issued] = []
        self.messages: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []
        """Signals and updates that came, with the event id by which they are ordered."""
        self.others: list[Job] = []
        """Everything else that came."""
        self.immediate: list[Job] = []
        """Answers that the code's own cancellations have, for the next activation of this task."""
        self.reseeds: list[str] = []

    # -- events to activations -------------------------------------------------------------------------------------

    def feed(self, events: list[Event], updates: Sequence[UpdateRequest] = ()) -> bool:
        """Take in events: replay completed tasks, run the open one if the events end with its start.

        Returns whether there was an open one. Raises what ``task_error`` holds when a replayed task fails.
        """
        if self.outbound is None:
            build_chain(self)
        at, end = 0, len(events)
        while at < end:
            event = events[at]
            attributes: Any = event.attributes
            kind = type(attributes)
            if kind is WorkflowTaskCompleted:
                self._note_flags(attributes)
                at = match_commands(self, events, at + 1)
                continue
            if kind is WorkflowTaskStarted:
                following = events[at + 1].attributes if at + 1 < end else None
                if following is None:
                    self._begin_task(event, attributes, replaying=False)
                    for request in updates:
                        self.messages.append((event.event_id, messages.deliver_update, (self, request, True)))
                    self._run_task()
                    return True
                if type(following) is WorkflowTaskCompleted:
                    self._begin_task(event, attributes, replaying=True)
                    self._note_flags(following)
                    history.look_ahead(self, events, at + 2)
                    self._run_task()
                    if self.task_error is not None:
                        raise self.task_error
                    self.seal()
                elif type(following) not in _INTERRUPTED:
                    raise malformed(self, events[at + 1], "stands between the start and the end of a workflow task")
            else:
                handler = history.DISPATCH.get(kind)
                if handler is None:
                    raise malformed(self, event, "does not follow a completed workflow task")
                handler(self, event)
            at += 1
        return False

    def _begin_task(self, event: Event, attributes: WorkflowTaskStarted, *, replaying: bool) -> None:
        self.replaying = replaying
        self.started_event_id = event.event_id
        self.history_length = event.event_id
        self.history_size = attributes.history_size_bytes
        self.suggest_continue_as_new = attributes.suggest_continue_as_new
        self.task_open = True
        if self.first_task_time == 0:
            self.first_task_time = event.event_time
        if event.event_time > self.time_us and (
            self.others or self.messages or not (self.locals and self.locals.open)
        ):
            # A task that only carries on with local activities is a heartbeat: no time passes for the code.
            self.time_us = event.event_time

    def _note_flags(self, attributes: WorkflowTaskCompleted) -> None:
        metadata = attributes.sdk_metadata
        if metadata is not None:
            self.core_flags = self.core_flags.union(metadata.core_used_flags)
            self.lang_flags = self.lang_flags.union(metadata.lang_used_flags)

    def seal(self) -> list[Issued]:
        """End the task: what the code issued now waits for its events."""
        moves_terminal = not self.replaying or 3 in self.core_flags
        self.unmatched = in_order(self.issued, moves_terminal)
        self.issued = []
        self.task_open = False
        return self.unmatched

    def _run_task(self) -> None:
        """All activations of one workflow task."""
        delivered, others = self.messages, self.others
        self.messages, self.others = [], []
        if self.reseeds:
            others[1 if others and others[0][0] == self._start else 0 : 0] = [
                (self.reseed, (run_id,)) for run_id in self.reseeds
            ]
            self.reseeds = []
        if len(delivered) > 1:
            delivered.sort(key=_sequence)
        self.single_batch = PROCESS_JOBS_AS_SINGLE_BATCH in self.lang_flags
        patched, self.patch_notified = self.patch_notified, False
        if delivered or others or patched:
            self.activation(delivered, others, patched=patched)
        self.follow_up()

    def follow_up(self) -> None:
        """Activations within the task that earlier ones of it made necessary."""
        while self.task_error is None and not self.terminal:
            if self.immediate:
                jobs, self.immediate = self.immediate, []
            else:
                job = None if self.locals is None else self.locals.next_job(self)
                if job is None:
                    return
                jobs = [job]
            self.activation([], jobs)

    def activation(
        self,
        delivered: list[tuple[float, Callable[..., None], tuple[Any, ...]]],
        others: list[Job],
        *,
        patched: bool = False,
    ) -> None:
        """Apply jobs set by set and run the code until it is quiet after each (temporal-semantics 2.2)."""
        self.accepted_update = False
        # Rejected updates leave nothing in history, so they may not unblock conditions: a replay could not.
        always = bool(others) or patched or any(job is not messages.deliver_update for _, job, _ in delivered)
        try:
            if self.args is None:
                self.args = self._decode_input()
            if self.single_batch:
                for _, job, args in delivered:
                    job(*args)
                for job, args in others:
                    job(*args)
                self._run_until_quiet(always)
                return
            if patched:
                self._instantiate()
            if delivered:
                for _, job, args in delivered:
                    job(*args)
                self._run_until_quiet(always)
            if others and self.task_error is None:
                for job, args in others:
                    job(*args)
                self._run_until_quiet(always)
        except Exception as error:
            if self.is_failure_exception(error):
                self._fail_workflow(error)
            else:
                self.fail_task(error)

    def _run_until_quiet(self, always: bool) -> None:
        loop = self.loop
        if self.object is _NO_OBJECT:
            self._instantiate()
        while loop.ready:
            loop.run_ready()
            if self.task_error is not None:
                return
            if self.conditions and (always or self.accepted_update):
                check_conditions(self)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def on_started(self, attributes: WorkflowExecutionStarted, event_time: int) -> None:
        """The WorkflowExecutionStarted event."""
        self.started = attributes
        self.started_time = event_time
        if self.options.contextual:
            self.converter, self.failure_converter = self.options.workflow_converters(self.namespace, self.workflow_id)
        self.others.append((self._start, ()))

    def _start(self) -> None:
        """Job: start the run method."""
        self.main_task = self.loop.create_task(self._main(), name="run")
        if self.cancel_pending:
            self.loop.soon(self.main_task.cancel)

    def cancel(self, reason: str) -> None:
        """Job: the run was asked to cancel. Only the run method is cancelled, handlers are not."""
        self.cancel_reason = reason
        if self.main_task is not None:
            # Not at once: the task may not have had its first slice, and must get the chance to catch this.
            self.loop.soon(self.main_task.cancel)
        elif self.single_batch:
            self.cancel_pending = True

    def reseed(self, run_id: str) -> None:
        """Job: from the reset point on, randomness is that of the new run."""
        self._seed = randomness_seed(run_id)
        if self._random is not None:
            self._random.seed(self._seed)
        for callback in self.seed_callbacks:
            callback(self._seed)

    def _decode_input(self) -> list[Any]:
        payloads = self.started.input or []
        if self.definition.name is None:
            return [messages.raw_values(payloads)]
        return self.decode(payloads, self.definition.arg_types)

    def _instantiate(self) -> None:
        definition = self.definition
        if self.object is not _NO_OBJECT:
            return
        if definition.cls is None:
            self.object = None
            return
        self.object = definition.cls(*self.args) if definition.takes_init else definition.cls()  # type: ignore[misc]
        if definition.dynamic_config_fn is not None:
            with self.as_read_only(in_query_or_validator=False):
                config = definition.dynamic_config_fn(self.object)
            if config is not None and config.failure_exception_types is not None:
                self.failure_types = tuple(config.failure_exception_types)

    async def _main(self) -> None:
        try:
            definition, args = self.definition, self.args or []
            if not self.options.interceptor_classes:
                if definition.cls is None:
                    result = await definition.run_fn(*args)
                else:
                    result = await definition.run_fn(self.object, *args)
            else:
                result = await self.inbound.execute_workflow(
                    ExecuteWorkflowInput(
                        type=definition.cls or definition.run_fn,  # type: ignore[arg-type]
                        run_fn=definition.run_fn,
                        args=args,
                        headers=self.started.header or {},
                    )
                )
            self.emit(WorkflowExecutionCompleted(result=self.converter.to_payloads([result])))
        except BaseException as error:
            self.handler_failed(error)

    # -- errors ----------------------------------------------------------------------------------------------------

    def handler_failed(self, error: BaseException) -> None:
        """An exception left the run method or a signal handler (temporal-semantics 2.9)."""
        if self.evicted:
            return
        if isinstance(error, KeyboardInterrupt):
            raise error
        try:
            if isinstance(error, continuation.Continue):
                continuation.emit(self, error.input)
                return
        except Exception as problem:
            error = problem
        if isinstance(error, asyncio.CancelledError):
            error = CancelledError(str(error))
        if not isinstance(error, Exception):
            self.fail_task(error)
        elif self.cancel_reason is not None and is_cancelled_exception(error):
            self.emit(WorkflowExecutionCanceled())
        elif self.is_failure_exception(error):
            self._fail_workflow(error)
        else:
            self.fail_task(error)

    def _fail_workflow(self, error: BaseException) -> None:
        self.emit(WorkflowExecutionFailed(failure=self.to_failure(error)))

    def fail_task(self, error: BaseException) -> None:
        """Stop the activation; the workflow task fails and will be tried again."""
        if self.task_error is None:
            self.task_error = error

    def is_failure_exception(self, error: BaseException) -> bool:
        """Whether an exception fails the workflow, not the workflow task."""
        return isinstance(
            error, (FailureError, asyncio.TimeoutError, *self.failure_types, *self.options.failure_exception_types)
        )

    diverged = diverged

    # -- what workflow code does -----------------------------------------------------------------------------------

    def emit(self, attributes: Attributes, owner: Any = None, metadata: UserMetadata | None = None) -> Issued:
        """Ask for an event."""
        if self.read_only or self.evicted:
            self.assert_writable("add command")
        issued = Issued(attributes, owner, metadata)
        if self.replaying:
            issued.place = caller_place()
        self.issued.append(issued)
        if type(attributes) in TERMINAL:
            self.terminal = True
        return issued

    def assert_writable(self, action: str, *, while_evicting: bool = False) -> None:
        """Refuse ``action`` in queries and validators, and while the run leaves the cache.

        Raises
        ------
        ReadOnlyContextError, WorkflowBeingEvictedError
        """
        if self.evicted and not while_evicting:
            raise WorkflowBeingEvictedError(f"Ignoring {action} while evicting workflow. This is not an error.")
        if self.read_only:
            raise ReadOnlyContextError(f"While in read-only function, action attempted: {action}")

    @contextmanager
    def as_read_only(self, *, in_query_or_validator: bool) -> Iterator[None]:
        """Within, nothing can be changed (temporal-semantics 2.7)."""
        before = self.read_only, self.in_query_or_validator
        self.read_only, self.in_query_or_validator = True, in_query_or_validator
        try:
            yield
        finally:
            self.read_only, self.in_query_or_validator = before

    def task_name(self, name: str) -> str:
        """Name of a task of this run, as stack traces show it."""
        return name + self.task_suffix

    def decode(self, payloads: Sequence[Payload], hints: list[Any] | None, converter: Any = None) -> list[Any]:
        """Values of payloads; hints count only if there is one per payload.

        Raises
        ------
        RuntimeError
            A payload cannot be decoded.
        """
        if not payloads:
            return []
        if hints is not None and len(hints) != len(payloads):
            hints = None
        try:
            return (converter or self.converter).from_payloads(payloads, hints)  # type: ignore[no-any-return]
        except FailureError:
            raise
        except Exception as error:
            if self.is_failure_exception(error):
                raise
            raise RuntimeError(f"Failed decoding arguments: {error}") from error

    def to_failure(self, error: BaseException) -> Failure:
        """Failure record of an exception."""
        failure = Failure()
        try:
            self.failure_converter.to_failure(error, self.converter, failure)
        except Exception as problem:
            failure = Failure(message=f"Failed converting {type(error).__name__} {error}: {problem}")
        return failure

    def raises_cancel_of_settled(self, flag: int) -> bool:
        """Whether a cancellation that meets an answer is raised; notes the language flag that says so."""
        if self.single_batch:
            return True
        if not flag or (self.replaying and flag not in self.lang_flags):
            return False
        if flag not in self.lang_flags:
            self.lang_flags |= {flag}
            self.new_lang_flags |= {flag}
        return True

    def random(self) -> random_module.Random:
        """The run's random numbers."""
        self.assert_writable("random")
        if self._random is None:
            self._random = random_module.Random(self.seed)  # noqa: S311 - must be reproducible
        return self._random

    @property
    def seed(self) -> int:
        """Seed of the run's random numbers."""
        if self._seed is None:
            self._seed = randomness_seed(self.started.original_execution_run_id or self.run_id)
        return self._seed

    def info(self) -> Info:
        """Information about the run, the same object each time."""
        if self._info is None:
            self._info = build_info(self)
        return self._info

    @property
    def logger_details(self) -> Mapping[str, Any]:
        """What the logger adds to records."""
        return self.info().logger_details()

    @property
    def workflow_object(self) -> Any:
        """The object of the author's class; None before ``__init__`` has returned and for function workflows."""
        return None if self.object is _NO_OBJECT else self.object

    def search_attribute_payloads(self) -> dict[str, Payload]:
        """Encoded search attributes as they are now."""
        if self._search_payloads is None:
            self._search_payloads = dict(self.started.search_attributes or {})
        return self._search_payloads

    def builtin_query(self, name: str) -> QueryDefinition | None:
        """Definition of a query that every run answers."""
        return builtin_queries.find(self, name)

    @classmethod
    def for_task(
        cls, definition: WorkflowDefinition, options: RuntimeOptions, task: WorkflowTask
    ) -> WorkflowInstance:
        """An instance for the run that ``task`` belongs to; give it the task next."""
        return cls(
            definition,
            options,
            namespace=task.namespace,
            workflow_id=task.workflow_id,
            run_id=task.run_id,
            workflow_type=task.workflow_type,
            task_queue=task.task_queue,
        )

    activate = tasks.activate
    resolve_local_activity = tasks.resolve_local_activity
    heartbeat = tasks.heartbeat
    query = tasks.query
    evict = tasks.evict

    builtin_query_names = builtin_queries.NAMES
    start_timer = start_timer
    sleep = sleep


def _sequence(delivered: tuple[float, Any, Any]) -> float:
    return delivered[0]
