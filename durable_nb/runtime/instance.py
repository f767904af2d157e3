"""One run: its state, and what its code may do to it (temporal-semantics 2.7).

``WorkflowInstance`` is what workflow code talks to through ``durable_nb.workflow`` and what the host drives: events
go in by ``activate``, commands come out. Live and replayed tasks take the same path: jobs from events, activation
(``activations``), commands, and at the next task the commands are matched to the events that they became
(``matching``). What each kind of job and command means lives in the other modules. Invariant: between two calls of
the host's methods no workflow code runs.
"""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from durable_nb.exceptions import FailureError
from durable_nb.model.attributes import (
    Attributes,
    UserMetadata,
    WorkflowExecutionStarted,
)
from durable_nb.runtime import activations, builtin_queries, failing, local_activities, messages, patches, tasks
from durable_nb.runtime.activations import NO_OBJECT
from durable_nb.runtime.conditions import sleep
from durable_nb.runtime.divergence import diverged
from durable_nb.runtime.errors import ReadOnlyContextError, WorkflowBeingEvictedError
from durable_nb.runtime.flags import NO_FLAGS
from durable_nb.runtime.issued import TERMINAL, Issued, Job
from durable_nb.runtime.loop import WorkflowLoop
from durable_nb.runtime.place import caller_place
from durable_nb.runtime.run_info import build_info
from durable_nb.runtime.siphash import randomness_seed
from durable_nb.runtime.timers import start_timer

if TYPE_CHECKING:
    from durable_nb.model.payload import Payload
    from durable_nb.model.tasks import WorkflowTask
    from durable_nb.runtime.definition import WorkflowDefinition
    from durable_nb.runtime.handlers import QueryDefinition
    from durable_nb.runtime.info import Info
    from durable_nb.runtime.interceptor import WorkflowInboundInterceptor, WorkflowOutboundInterceptor
    from durable_nb.runtime.options import RuntimeOptions

_MOST_REFUSED = 1000


class WorkflowInstance:
    """One run of one definition; see the module.

    The host calls ``activate``, ``resolve_local_activity``, ``heartbeat``, ``query`` and ``evict``, which are written
    in ``tasks``. All other names are for the modules of the runtime.
    """

    __slots__ = (
        "_info",
        "_random",
        "_search_payloads",
        "_seed",
        "accepted_update",
        "activation_index",
        "activity_seq",
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
        "in_query_or_validator",
        "inbound",
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
        "refused",
        "replaying",
        "reseeds",
        "run_id",
        "seed_callbacks",
        "signals",
        "single_batch",
        "start_may_be_dropped",
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
        self.loop = WorkflowLoop(self, guarded=options.guards and definition.sandboxed)  # type: ignore[abstract]
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
        self.object: Any = NO_OBJECT
        self.args: list[Any] | None = None
        self.main_task: asyncio.Task[Any] | None = None
        self.started: WorkflowExecutionStarted = None  # type: ignore[assignment]  # until the first event
        self.started_time = 0
        self.first_task_time = 0
        self.cancel_reason: str | None = None
        self.cancel_pending = False
        self.terminal = False
        self.evicted = False
        self.refused = 0
        self.current_details = ""
        self.timer_seq = 0
        self.activity_seq = 0
        self.by_event: dict[int, Any] = {}
        """What waits for later events, by the id of the event that the command became."""
        self.conditions: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self.mail: messages.Mail | None = None
        self.patches: patches.Patches | None = None
        self.locals: local_activities.Locals | None = None
        self.core_flags: frozenset[int] = NO_FLAGS
        self.lang_flags: frozenset[int] = NO_FLAGS
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
        self.start_may_be_dropped = False
        self.history_length = 0
        self.history_size = 0
        self.suggest_continue_as_new = False
        self.task_open = False
        self.task_error: BaseException | None = None
        self.accepted_update = False
        self.activation_index = 0
        """Which activation of the task is the next one. A task that only carries on with local activities counts on."""
        self.patch_notified = False
        self.new_lang_flags: frozenset[int] = NO_FLAGS
        self.issued: list[Issued] = []
        self.unmatched: list[Issued] = []
        self.messages: list[activations.Delivered] = []
        """Signals and updates that came, with the event id by which they are ordered."""
        self.others: list[Job] = []
        """Everything else that came."""
        self.immediate: list[Job] = []
        """Answers that the code's own cancellations have, for the next activation of this task."""
        self.reseeds: list[str] = []

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
            self.refused += 1
            if self.refused > _MOST_REFUSED:
                return  # Code that catches this and tries again without end: it shall wait for what never comes.
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
            return (converter or self.converter).from_payloads(payloads, hints)
        except FailureError:
            raise
        except Exception as error:
            if self.is_failure_exception(error):
                raise
            raise RuntimeError(f"Failed decoding arguments: {error}") from error

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

    def set_seed(self, seed: int) -> None:
        """Go on with other random numbers: a reset."""
        self._seed = seed
        if self._random is not None:
            self._random.seed(seed)
        for callback in self.seed_callbacks:
            callback(seed)

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
        return None if self.object is NO_OBJECT else self.object

    def search_attribute_payloads(self) -> dict[str, Payload]:
        """Encoded search attributes as they are now."""
        if self._search_payloads is None:
            self._search_payloads = dict(self.started.search_attributes or {})
        return self._search_payloads

    def builtin_query(self, name: str) -> QueryDefinition | None:
        """Definition of a query that every run answers."""
        return builtin_queries.find(self, name)

    @classmethod
    def for_task(cls, definition: WorkflowDefinition, options: RuntimeOptions, task: WorkflowTask) -> WorkflowInstance:
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

    handler_failed = failing.handler_failed
    fail_workflow = failing.fail_workflow
    fail_task = failing.fail_task
    is_failure_exception = failing.is_failure_exception
    to_failure = failing.to_failure
    diverged = diverged

    on_started = activations.on_started
    cancel = activations.cancel
    feed = activations.feed
    seal = activations.seal
    follow_up = activations.follow_up
    activate = tasks.activate
    resolve_local_activity = tasks.resolve_local_activity
    heartbeat = tasks.heartbeat
    query = tasks.query
    evict = tasks.evict

    builtin_query_names = builtin_queries.NAMES
    start_timer = start_timer
    sleep = sleep
