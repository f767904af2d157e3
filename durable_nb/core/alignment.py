"""Two histories side by side: the steps of each, which of them belong together, and where the runs part. Pure.

A *step* is something that workflow code asked for, with its outcome (an activity, a timer, a child, …), or something
that others said to it (a signal, an update, a cancel request). Steps are matched by what they are in the workflow's
own logic, kind and name in the order in which they came, never by the clock or by event ids: two runs that did the
same at another speed are the same. A step that stands elsewhere in the other run is matched as moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from durable_nb.model import attributes as a
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload

PENDING = "pending"


class Step(NamedTuple):
    """One step of a run. Instants are microseconds, 0 for none; ``ident`` is the activity, timer or workflow ID."""

    kind: str
    name: str
    event_id: int
    time: int
    ident: str = ""
    input: list[Payload] | None = None
    outcome: str = ""
    end_event_id: int = 0
    end_time: int = 0
    result: list[Payload] | None = None
    failure: Failure | None = None

    @property
    def key(self) -> Hashable:
        """What makes two steps the same step."""
        return self.kind, self.name


class Pair(NamedTuple):
    """A step of the one run and that of the other which it belongs to; None where there is none.

    ``differs`` names what is not the same: ``only left``, ``only right``, ``moved``, ``input``, ``outcome``,
    ``result``, ``failure``.
    """

    left: Step | None
    right: Step | None
    differs: tuple[str, ...] = ()

    @property
    def step(self) -> Step:
        """Either side."""
        found = self.left or self.right
        assert found is not None  # noqa: S101 - a pair has at least one side
        return found


# -- steps -------------------------------------------------------------------------------------------------------------

_ENDS: dict[type[a.Attributes], str] = {
    a.ActivityTaskCompleted: "completed",
    a.ActivityTaskFailed: "failed",
    a.ActivityTaskTimedOut: "timed out",
    a.ActivityTaskCanceled: "canceled",
    a.ChildWorkflowExecutionCompleted: "completed",
    a.ChildWorkflowExecutionFailed: "failed",
    a.ChildWorkflowExecutionTimedOut: "timed out",
    a.ChildWorkflowExecutionCanceled: "canceled",
    a.ChildWorkflowExecutionTerminated: "terminated",
    a.StartChildWorkflowExecutionFailed: "not started",
    a.TimerFired: "fired",
    a.TimerCanceled: "canceled",
    a.WorkflowExecutionUpdateCompleted: "completed",
    a.ExternalWorkflowExecutionSignaled: "delivered",
    a.SignalExternalWorkflowExecutionFailed: "failed",
    a.ExternalWorkflowExecutionCancelRequested: "delivered",
    a.RequestCancelExternalWorkflowExecutionFailed: "failed",
}
"""Outcome that an event gives to the step whose first event it names."""

_CLOSINGS: dict[type[a.Attributes], str] = {
    a.WorkflowExecutionCompleted: "completed",
    a.WorkflowExecutionFailed: "failed",
    a.WorkflowExecutionTimedOut: "timed out",
    a.WorkflowExecutionCanceled: "canceled",
    a.WorkflowExecutionTerminated: "terminated",
    a.WorkflowExecutionContinuedAsNew: "continued as new",
}

_REFERENCES = ("scheduled_event_id", "initiated_event_id", "accepted_event_id")


def steps_of(events: Sequence[Event]) -> list[Step]:
    """Steps of a history in the order of their first events; the workflow itself is the first one."""
    steps: dict[int, Step] = {}
    for event in events:
        attributes: Any = event.attributes
        kind = type(attributes)
        if kind in _ENDS:
            first = _first_event(attributes)
            if first in steps:
                steps[first] = steps[first]._replace(
                    outcome=_ENDS[kind],
                    end_event_id=event.event_id,
                    end_time=event.event_time,
                    result=_result(attributes),
                    failure=_failure(attributes),
                )
        elif kind in _CLOSINGS:
            steps[1] = steps[1]._replace(
                outcome=_CLOSINGS[kind],
                end_event_id=event.event_id,
                end_time=event.event_time,
                result=_result(attributes),
                failure=_failure(attributes),
            )
        else:
            step = _step(event, attributes)
            if step is not None:
                steps[event.event_id] = step
    return list(steps.values())


def _first_event(attributes: Any) -> int:
    if isinstance(attributes, a.TimerFired | a.TimerCanceled):
        return attributes.started_event_id
    return next((getattr(attributes, name) for name in _REFERENCES if getattr(attributes, name, 0)), 0)


def _result(attributes: Any) -> list[Payload] | None:
    outcome: a.UpdateOutcome | None = getattr(attributes, "outcome", None)
    found: list[Payload] | None = outcome.success if outcome is not None else getattr(attributes, "result", None)
    return found


def _failure(attributes: Any) -> Failure | None:
    outcome: a.UpdateOutcome | None = getattr(attributes, "outcome", None)
    found: Failure | None = outcome.failure if outcome is not None else getattr(attributes, "failure", None)
    return found


def _step(event: Event, attributes: Any) -> Step | None:
    base = event.event_id, event.event_time
    match attributes:
        case a.WorkflowExecutionStarted():
            return Step("workflow", attributes.workflow_type, *base, "", attributes.input, PENDING)
        case a.ActivityTaskScheduled():
            return Step("activity", attributes.activity_type, *base, attributes.activity_id, attributes.input, PENDING)
        case a.TimerStarted():
            return Step("timer", _seconds(attributes.start_to_fire_timeout), *base, attributes.timer_id, None, PENDING)
        case a.StartChildWorkflowExecutionInitiated():
            return Step("child", attributes.workflow_type, *base, attributes.workflow_id, attributes.input, PENDING)
        case a.WorkflowExecutionSignaled():
            return Step("signal", attributes.signal_name, *base, "", attributes.input)
        case a.WorkflowExecutionCancelRequested():
            return Step("cancel request", attributes.cause, *base)
        case a.WorkflowExecutionUpdateAccepted():
            given = attributes.accepted_request.input if attributes.accepted_request else None
            name, args = (given.name, given.args) if given else ("", None)
            return Step("update", name, *base, attributes.protocol_instance_id, args, PENDING)
        case a.SignalExternalWorkflowExecutionInitiated():
            return Step("signal to other", attributes.signal_name, *base, "", attributes.input, PENDING)
        case a.RequestCancelExternalWorkflowExecutionInitiated():
            return Step("cancel of other", "", *base, "", None, PENDING)
        case a.MarkerRecorded():
            return _marker(base, attributes)
        case a.UpsertWorkflowSearchAttributes():
            return Step("search attributes", ", ".join(sorted(attributes.search_attributes or {})), *base)
        case a.WorkflowPropertiesModified():
            return Step("memo", ", ".join(sorted(attributes.upserted_memo or {})), *base)
    return None


def _marker(base: tuple[int, int], attributes: a.MarkerRecorded) -> Step:
    details = attributes.details or {}
    data = (details.get("data") or details.get("patch-data") or [Payload({}, b"{}")])[0].data
    fields = _json(data)
    name = fields.get("activity_type") or fields.get("id") or attributes.marker_name
    kind = "local activity" if "activity_type" in fields else "patch" if "id" in fields else "marker"
    outcome = ("failed" if attributes.failure else "completed") if kind == "local activity" else ""
    return Step(
        kind, str(name), *base, str(fields.get("activity_id", "")), None, outcome, base[0], base[1],
        details.get("result"), attributes.failure,
    )  # fmt: skip


def _json(data: bytes) -> dict[str, Any]:
    import json  # noqa: PLC0415 - one function of it, for markers only

    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1e6:g} s"


# -- pairs -------------------------------------------------------------------------------------------------------------


def align(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """Steps of two runs in pairs, in the order of the left run; those of the right run alone where they came."""
    left_keys, right_keys = [step.key for step in left], [step.key for step in right]
    start = _common(left_keys, right_keys)
    tail = _common(left_keys[start:][::-1], right_keys[start:][::-1])
    left_end, right_end = len(left) - tail, len(right) - tail
    pairs: list[tuple[Step | None, Step | None]] = list(zip(left[:start], right[:start], strict=True))
    matcher = SequenceMatcher(None, left_keys[start:left_end], right_keys[start:right_end], autojunk=False)
    for tag, i, j, m, n in matcher.get_opcodes():
        ours, theirs = left[start + i : start + j], right[start + m : start + n]
        if tag == "equal":
            pairs += zip(ours, theirs, strict=True)
        else:
            pairs += [(step, None) for step in ours]
            pairs += [(None, step) for step in theirs]
    pairs += zip(left[left_end:], right[right_end:], strict=True)
    return [Pair(one, other, _differences(one, other)) for one, other in pairs] if _all(pairs) else _with_moved(pairs)


def _all(pairs: Sequence[tuple[Step | None, Step | None]]) -> bool:
    return all(one is not None and other is not None for one, other in pairs)


def _common(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _with_moved(pairs: list[tuple[Step | None, Step | None]]) -> list[Pair]:
    """Match what is left over on both sides: the same step at another place."""
    loose: dict[Hashable, list[int]] = defaultdict(list)
    for at, (one, other) in enumerate(pairs):
        if one is None and other is not None:
            loose[other.key].append(at)
    taken: dict[int, int] = {}
    for at, (one, other) in enumerate(pairs):
        if other is None and one is not None and loose.get(one.key):
            taken[at] = loose[one.key].pop(0)
    gone = set(taken.values())
    found: list[Pair] = []
    for at, (one, other) in enumerate(pairs):
        if at in taken:
            there = pairs[taken[at]][1]
            found.append(Pair(one, there, ("moved", *_differences(one, there))))
        elif at not in gone:
            found.append(Pair(one, other, _differences(one, other)))
    return found


def _differences(left: Step | None, right: Step | None) -> tuple[str, ...]:
    if left is None or right is None:
        return ("only right" if left is None else "only left",)
    found = []
    if (left.input or None) != (right.input or None):
        found.append("input")
    if left.outcome != right.outcome:
        found.append("outcome")
    elif (left.result or None) != (right.result or None):
        found.append("result")
    elif _said(left.failure) != _said(right.failure):
        found.append("failure")
    return tuple(found)


def _said(failure: Failure | None) -> list[tuple[str, str]]:
    """What two failures are compared by: types and messages, not stacks or ids."""
    if failure is None:
        return []
    return [
        (each.application_failure_info.type if each.application_failure_info else "", each.message)
        for each in failure.chain()
    ]


def parting(pairs: Sequence[Pair]) -> Pair | None:
    """The difference that came first; None where the runs did the same.

    What the workflow as a whole came to is a consequence, and counts only where nothing else differs.
    """
    different = [pair for pair in pairs if pair.differs]
    causes = [p for p in different if p.step.kind != "workflow" or "input" in p.differs]
    return min(causes or different, key=_first_difference, default=None)


def _first_difference(pair: Pair) -> int:
    """Event id at which a pair differs, in whichever run it came first."""
    at_command = {"only left", "only right", "moved", "input"}.intersection(pair.differs)
    sides = [step for step in pair[:2] if step is not None]
    return min((step.event_id if at_command else step.end_event_id or step.event_id) for step in sides)
