"""Any order of commands, outcomes, signals, timers, crashes and clock jumps keeps the invariants.

``World.commit`` checks them after every step: gapless ids, order, back references, one open workflow task, a state
that equals what ``load`` makes of the rows, and deadlines and ``wake_at`` against a look at everything. What needs a
memory of the past (no attempt starts twice, none after its activity is over) is checked here.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from durable_nb.core import activities, closing, deadlines, others, requests, workflow_tasks
from durable_nb.core.transition import LEASED, LEASED_AND_STARTED, NOT_LEASED
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    Attributes,
    MarkerRecorded,
    RequestCancelExternalWorkflowExecutionInitiated,
    RetryPolicyAttributes,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerCanceled,
    TimerStarted,
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import ParentClosePolicy, WorkflowTaskFailedCause
from durable_nb.model.failure import ApplicationFailureInfo, Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.requests import SignalInput
from tests.core.world import SECOND, World, activity, completion, text

FAILURES = [
    Failure(application_failure_info=ApplicationFailureInfo(type="OSError")),
    Failure(application_failure_info=ApplicationFailureInfo(type="ValueError", non_retryable=True)),
    Failure(application_failure_info=ApplicationFailureInfo(next_retry_delay=7 * SECOND)),
]
POLICIES = [None, RetryPolicyAttributes(maximum_attempts=2), RetryPolicyAttributes(initial_interval=20 * SECOND)]
BUG = WorkflowTaskFailure(WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, Failure(message="bug"))
TIMEOUT = st.sampled_from([0, 0, 0, 40, 1000])
KINDS = st.sampled_from(
    ["activity"] * 5
    + ["timer"] * 4
    + ["cancel timer", "cancel activity", "child", "accept update"] * 2
    + ["signal other", "cancel other", "memo", "search attributes", "complete update", "marker", "out of place"]
)
COMMANDS = st.lists(st.tuples(KINDS, st.integers(0, 3), st.integers(0, 50)), min_size=1, max_size=6)
TERMINAL = st.sampled_from([None] * 12 + ["complete", "fail", "cancel", "continue"])
PICK = st.integers(0, 7)


class CoreMachine(RuleBasedStateMachine):
    """One chain of runs under everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.numbers = 0
        self.held: Any = None
        self.started: set[tuple[int, int, int]] = set()
        self.seen = 0

    @initialize(
        run_timeout=TIMEOUT,
        execution_timeout=st.sampled_from([0, 0, 0, 300]),
        policy=st.sampled_from(POLICIES),
        cron=st.sampled_from(["", "", "", "@every 10s"]),
        delay=st.sampled_from([0, 0, 0, 5]),
    )
    def begin(self, **options):
        self.start_run(**options)

    def start_run(self, run_timeout, execution_timeout, policy, cron, delay):
        self.world.start(
            run_timeout=run_timeout * SECOND,
            execution_timeout=execution_timeout * SECOND,
            retry_policy=policy,
            cron_schedule=cron,
            start_delay=0 if cron else delay * SECOND,
        )

    @precondition(lambda self: not self.state.is_open)
    @rule(run_timeout=TIMEOUT, policy=st.sampled_from(POLICIES))
    def start_another(self, run_timeout, policy):
        self.held = None
        self.start_run(run_timeout, 0, policy, "", 0)

    # -- helpers ---------------------------------------------------------------------------------------------------

    @property
    def state(self):
        return self.world.state

    def number(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def pick(self, things: Any, index: int) -> Any:
        things = list(things)
        return things[index % len(things)] if things else None

    def command(self, kind: str, index: int, size: int) -> Attributes | None:
        """A command that fits the state; None where the state has nothing of the kind."""
        state = self.state
        match kind:
            case "activity":
                return self.activity(index, size)
            case "timer":
                return TimerStarted(self.number(), size * SECOND)
            case "cancel timer":
                timer_id = self.pick(state.timers, index)
                return TimerCanceled(timer_id) if timer_id else None
            case "cancel activity":
                scheduled = self.pick(state.activities, index)
                return ActivityTaskCancelRequested(scheduled) if scheduled else None
            case "accept update":
                return accepted(f"u{self.number()}")
            case "complete update":
                update_id = self.pick((i for i, update in state.updates.items() if update.outcome is None), index)
                done = UpdateOutcome(success=[])
                return WorkflowExecutionUpdateCompleted(UpdateMeta(update_id), outcome=done) if update_id else None
            case "memo":
                value = Payload({"encoding": b"binary/null"}) if size % 2 else text("v")[0]
                return WorkflowPropertiesModified(upserted_memo={f"m{index}": value})
            case "out of place":
                return TimerCanceled("nobody's") if size % 3 == 0 else None
            case _:
                return to_others(kind, index)

    def activity(self, index: int, size: int) -> Attributes:
        return activity(
            self.number(),
            start_to_close_timeout=(size + 1) * SECOND,
            schedule_to_close_timeout=index * 20 * SECOND,
            schedule_to_start_timeout=size % 3 * 10 * SECOND,
            heartbeat_timeout=size % 5 * SECOND,
            retry_policy=POLICIES[size % 3],
        )

    def asked(self, commands: list[tuple[int, int, int]], terminal: str | None) -> list[Attributes]:
        made = [command for spec in commands if (command := self.command(*spec)) is not None]
        ends = {
            "complete": WorkflowExecutionCompleted(text("r")),
            "fail": WorkflowExecutionFailed(FAILURES[len(commands) % 3]),
            "cancel": WorkflowExecutionCanceled(),
            "continue": WorkflowExecutionContinuedAsNew(),
        }
        return [*made, ends[terminal]] if terminal else made

    # -- workflow tasks --------------------------------------------------------------------------------------------

    def can_begin(self) -> bool:
        return workflow_tasks.can_begin(self.state, self.world.now)

    @precondition(can_begin)
    @rule(commands=COMMANDS, terminal=TERMINAL, again=st.booleans())
    def run_task(self, commands, terminal, again):
        self.world.task(*self.asked(commands, terminal), force_new_task=again)

    @precondition(lambda self: self.state.is_open)
    @rule(commands=COMMANDS, terminal=TERMINAL, index=PICK, prefer=st.sampled_from(["attempt", "attempt", "time"]))
    def go_on(self, commands, terminal, index, prefer):
        """Do what a healthy engine would do next: run the task, end an attempt, or wait for what is due."""
        attempts = [a for a in self.state.activities.values() if a.is_started and not a.is_over]
        if self.can_begin():
            self.world.task(*self.asked(commands, terminal))
        elif attempts and prefer == "attempt":
            found = self.pick(attempts, index)
            self.world.do(lambda tx: activities.complete(tx, found, text("r"), "me"))
        else:
            self.world.now = max(self.world.now, self.state.next_deadline())
            self.world.do(deadlines.fire)

    @precondition(lambda self: self.state.is_open)
    @rule(commands=COMMANDS, terminal=TERMINAL, index=PICK, wait=st.booleans(), losing=st.booleans())
    def step_of_an_engine(self, commands, terminal, index, wait, losing):
        """Everything that is ready goes into one transition: what is due, an outcome, a signal, a workflow task."""
        if wait:
            self.world.now = max(self.world.now, self.state.next_deadline())
        with self.world.step() as tx:
            deadlines.fire(tx)
            attempts = [a for a in self.state.activities.values() if a.is_started and not a.is_over]
            # An attempt that starts in this very transition can neither have been lost nor have ended.
            found = self.pick([a for a in attempts if a not in tx.started_activities], index)
            if self.state.is_open and found is not None:
                if losing:
                    activities.lose(tx, found)
                else:
                    activities.complete(tx, found, text("r"), "me")
            if self.state.is_open and index % 2:
                requests.signal(tx, SignalInput("s"), "me")
            while workflow_tasks.can_begin(self.state, tx.now):
                open_task = workflow_tasks.begin(tx)
                if workflow_tasks.complete(tx, open_task, completion(*self.asked(commands, terminal))):
                    break
                commands = commands[1:]
            deadlines.fire(tx)

    @precondition(lambda self: self.state.is_open and workflow_tasks.can_begin_speculative(self.state))
    @rule(commands=COMMANDS, holds=st.booleans())
    def wake_and_work(self, commands, holds):
        self.world.do(lambda tx: requests.signal(tx, SignalInput("wake"), "me"))
        if holds:
            self.held = self.world.hold()
        else:
            self.world.task(*self.asked(commands, None))

    @precondition(can_begin)
    @rule()
    def fail_task(self):
        self.world.fail_task(BUG)

    @precondition(can_begin)
    @rule()
    def hold_task(self):
        self.held = self.world.hold()

    @precondition(lambda self: workflow_tasks.can_begin_speculative(self.state))
    @rule(commands=COMMANDS, accepts=st.booleans(), holds=st.booleans())
    def speculate(self, commands, accepts, holds):
        if holds:
            self.held = self.world.hold(speculative=True)
        elif accepts:
            self.world.task(accepted(f"u{self.number()}"), *self.asked(commands, None))
        else:
            version = self.state.version
            assert self.world.task().is_empty
            assert self.state.version == version

    @precondition(lambda self: self.held is not None)
    @rule(commands=COMMANDS, terminal=TERMINAL, outcome=st.sampled_from(["complete", "fail", "forget"]))
    def end_held_task(self, commands, terminal, outcome):
        held, self.held = self.held, None
        if not workflow_tasks.is_current(self.state, held) or outcome == "forget":
            return
        if outcome == "fail":
            self.world.do(lambda tx: workflow_tasks.fail(tx, held, BUG))
        else:
            asked = completion(*self.asked(commands, terminal))
            self.world.do(lambda tx: workflow_tasks.complete(tx, held, asked))

    @rule()
    def retry_task_now(self):
        self.world.do(workflow_tasks.retry_now)

    # -- requests --------------------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        return self.state.is_open

    @precondition(is_open)
    @rule(request_id=st.sampled_from(["", "", "a", "b"]))
    def signal(self, request_id):
        known = request_id in self.state.signal_request_ids
        delivered = self.world.do(lambda tx: requests.signal(tx, SignalInput("s", request_id=request_id), "me"))
        assert delivered is (not request_id or not known)

    @precondition(is_open)
    @rule()
    def request_cancel(self):
        known = self.state.cancel_requested
        assert self.world.do(lambda tx: requests.request_cancel(tx, "r", "me")) is not known

    @precondition(is_open)
    @rule(really=st.sampled_from([False] * 15 + [True]))
    def terminate(self, really):
        if really:
            self.world.do(lambda tx: closing.terminate(tx, "r", None, "me"))

    # -- activities ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.state.is_open and self.state.activities)
    @rule(index=PICK, late=st.integers(0, 3), outcome=st.sampled_from(["complete", "fail", "cancel", "external"]))
    def report(self, index, late, outcome):
        scheduled = self.pick(self.state.activities, index)
        token = max(self.state.activities[scheduled].token - (late == 3), -1)
        found = activities.find_attempt(self.state, scheduled, token)
        if found is None:
            return
        assert late != 3, "a token of the past names no attempt"
        with self.world.step() as tx:
            if outcome == "complete":
                activities.complete(tx, found, text("r"), "me")
            elif outcome == "fail":
                activities.fail(tx, found, FAILURES[index % 3], "me")
            elif outcome == "cancel":
                activities.cancel(tx, found, None, "me")
            else:
                activities.hand_over(tx, scheduled, token, None)

    @precondition(lambda self: self.state.is_open and self.state.activities)
    @rule(index=PICK, what=st.sampled_from(["heartbeat", "lose", "start", "lease", "retry"]))
    def touch(self, index, what):
        found = self.pick(self.state.activities.values(), index)
        scheduled = found.scheduled_event_id
        with self.world.step() as tx:
            if what == "heartbeat":
                activities.heartbeat(tx, scheduled, found.token, text("h"))
            elif what == "lose":
                activities.lose(tx, found)
            elif what == "start":
                activities.start_queued(tx, scheduled)
            elif what == "retry":
                activities.retry_now(tx, found)
            elif not found.is_started and not found.is_over:
                activities.lease(tx, found)

    @rule(lease=st.sampled_from([NOT_LEASED, LEASED, LEASED_AND_STARTED]))
    def slots_change(self, lease):
        self.world.lease = lease

    # -- other runs ------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(not child.ended for child in self.state.children.values()))
    @rule(index=PICK, news=st.sampled_from(["started", "started", "refused", "ended"]))
    def hear_of_child(self, index, news):
        initiated = self.pick(self.state.children, index)
        child = WorkflowExecution(self.state.children[initiated].attributes.workflow_id, f"run-of-{initiated}")
        with self.world.step() as tx:
            if news == "started":
                others.child_started(tx, initiated, child)
            elif news == "refused":
                others.child_not_started(tx, initiated)
            else:
                others.child_closed(tx, initiated, child, WorkflowExecutionCompleted(text("r")))

    @precondition(lambda self: self.state.transfers)
    @rule(index=PICK, found=st.booleans(), twice=st.booleans())
    def deliver(self, index, found, twice):
        transfer = self.pick(self.state.transfers, index)
        state = self.state
        for _ in range(1 + twice):
            with self.world.step() as tx:
                if transfer in state.external_signals:
                    others.signal_delivered(tx, transfer, found)
                elif transfer in state.external_cancels:
                    others.cancel_delivered(tx, transfer, found)
                elif transfer < 0 or not state.is_open:
                    tx.finish_transfer(transfer)

    # -- time and crashes ------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0, 1, 3, 10, 60]))
    def pass_time(self, seconds):
        self.world.pass_time(seconds)
        assert not 0 < self.state.next_deadline() <= self.world.now

    @rule(seconds=st.sampled_from([2, 30]))
    def clock_goes_back(self, seconds):
        self.world.now -= seconds * SECOND

    @rule()
    def crash(self):
        """Everything that is not in the rows is gone; a held task's worker is gone with it."""
        self.held = None
        self.world.reload()

    @rule()
    def look_for_what_is_due(self):
        self.world.do(deadlines.fire)

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def no_attempt_starts_twice_and_none_of_an_activity_that_is_over(self):
        for tx in self.world.transitions[self.seen :]:
            run = tx.state
            assert not (tx.started_activities and not run.is_open)
            for attempt in tx.started_activities:
                assert attempt.is_started
                name = (run.run_key, attempt.scheduled_event_id, attempt.token)
                assert name not in self.started
                self.started.add(name)
        self.seen = len(self.world.transitions)


def to_others(kind: str, index: int) -> Attributes:
    """Commands that do not depend on the state."""
    target = WorkflowExecution("other")
    if kind == "child":
        return StartChildWorkflowExecutionInitiated(
            workflow_id=f"c{index}", workflow_type="C", parent_close_policy=ParentClosePolicy(index)
        )
    if kind == "signal other":
        return SignalExternalWorkflowExecutionInitiated(workflow_execution=target, signal_name="s")
    if kind == "cancel other":
        return RequestCancelExternalWorkflowExecutionInitiated(workflow_execution=target)
    if kind == "search attributes":
        return UpsertWorkflowSearchAttributes(search_attributes={f"s{index}": text("v")[0]})
    return MarkerRecorded("m")


def accepted(update_id: str) -> WorkflowExecutionUpdateAccepted:
    return WorkflowExecutionUpdateAccepted(
        accepted_request=UpdateRequestAttributes(UpdateMeta(update_id), UpdateInput(name="u"))
    )


CoreMachine.TestCase.settings = settings(
    max_examples=120, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
# A failure takes minutes to shrink, and only the shrunk one can be read.
test_any_order_of_events_keeps_the_invariants = pytest.mark.timeout(400)(CoreMachine.TestCase)
