"""Critical paths: followed once more in Python, event by event, and as sums that must come out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import pytest

from durable_nb.analytics import statistics as stats
from durable_nb.errors import QueryError
from tests.analytics_stats.conftest import Shop
from tests.analytics_stats.raw import ACTIVITY_CLOSED, CLOSING, E, Event
from tests.analytics_stats.test_against_pandas import us

pytestmark = pytest.mark.slow

TASK_ENDS = {E.WORKFLOW_TASK_COMPLETED, E.WORKFLOW_TASK_FAILED, E.WORKFLOW_TASK_TIMED_OUT}
CHILD_ENDS = {
    E.CHILD_WORKFLOW_EXECUTION_COMPLETED,
    E.CHILD_WORKFLOW_EXECUTION_FAILED,
    E.CHILD_WORKFLOW_EXECUTION_CANCELED,
    E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
    E.CHILD_WORKFLOW_EXECUTION_TERMINATED,
}
OUTSIDE = {
    E.WORKFLOW_EXECUTION_STARTED: "Start",
    E.WORKFLOW_EXECUTION_SIGNALED: "Signal",
    E.WORKFLOW_EXECUTION_CANCEL_REQUESTED: "Cancel request",
    E.WORKFLOW_TASK_FAILED: "Retry of workflow task",
    E.WORKFLOW_TASK_TIMED_OUT: "Retry of workflow task",
}


class Segment(NamedTuple):
    kind: str
    name: str
    began: int
    ended: int
    of: str = ""
    """Workflow type of the run that it is a step of."""
    child: str = ""
    """Run ID of the child that was waited for."""


class Walk:
    """Backwards through one history; ``runs`` finds histories of children by their run ID."""

    def __init__(self, history: list[Event], runs: dict[str, list[Event]] | None = None) -> None:
        self.history = history
        self.runs = runs or {}
        self.by_id = {event.event_id: event for event in history}
        self.ends = [event for event in history if event.kind in TASK_ENDS]

    def path(self) -> list[Segment]:
        """First step to last, those of children in place of the wait for them."""
        of = self.history[0].attributes["workflowType"]
        found = []
        for segment in (each._replace(of=of) for each in self.own_path()):
            history = self.runs.get(segment.child)
            if history is None:
                found.append(segment)
                continue
            found.append(segment._replace(kind="Child start", ended=history[0].time))
            found += Walk(history, self.runs).path()
            found.append(segment._replace(kind="Child end", began=history[-1].time))
        return found

    def own_path(self) -> list[Segment]:
        """First step to last, a child being one of them."""
        last = self.history[-1]
        closed_by = last.attributes.get("workflowTaskCompletedEventId") if last.kind in CLOSING else None
        task = self.by_id[closed_by] if closed_by else (self.ends[-1] if self.ends else None)
        found: list[Segment] = []
        if task is not None and last.kind in (E.WORKFLOW_EXECUTION_TERMINATED, E.WORKFLOW_EXECUTION_TIMED_OUT):
            found.append(Segment(f"Until {CLOSING[E(last.kind)].lower()}", "", task.time, last.time))
        while task is not None:
            scheduled = self.by_id[task.attributes["scheduledEventId"]]
            found.append(Segment("Workflow task", "", scheduled.time, task.time))
            wait, task = self.woken(scheduled, task)
            found.append(wait)
        return found[::-1]

    def woken(self, scheduled: Event, task: Event) -> tuple[Segment, Event | None]:
        """What woke a task, and the task that had asked for that."""
        cause = self.by_id[scheduled.event_id - 1]
        asked, kind, name = None, "", ""
        if cause.kind in ACTIVITY_CLOSED:
            asked = self.by_id[cause.attributes["scheduledEventId"]]
            kind, name = "Activity", asked.attributes["activityType"]
        elif cause.kind == E.TIMER_FIRED:
            asked, kind, name = self.by_id[cause.attributes["startedEventId"]], "Timer", "timer"
        elif cause.kind in CHILD_ENDS or cause.kind == E.CHILD_WORKFLOW_EXECUTION_STARTED:
            asked = self.by_id[cause.attributes["initiatedEventId"]]
            kind = "Child" if cause.kind in CHILD_ENDS else "Child start"
            name = asked.attributes["workflowType"]
        if asked is not None:
            before = self.by_id[asked.attributes["workflowTaskCompletedEventId"]]
            child = self.child_of(asked) if kind == "Child" else ""
            return Segment(kind, name, asked.time, scheduled.time, child=child), before
        earlier = [end for end in self.ends if end.event_id < task.event_id]
        before = earlier[-1] if earlier else None
        after = self.by_id.get(task.event_id + 1)
        if after is not None and after.kind == E.WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            kind, name = "Update", after.attributes["acceptedRequest"]["input"]["name"]
        else:
            kind, name = OUTSIDE.get(E(cause.kind), E(cause.kind).title), cause.attributes.get("signalName", "")
        began = before.time if before else self.history[0].time
        return Segment(kind, name, began, scheduled.time), before

    def child_of(self, asked: Event) -> str:
        """Run ID of the child that an event asked for; "" for one that never started."""
        for event in self.history:
            if (
                event.kind == E.CHILD_WORKFLOW_EXECUTION_STARTED
                and event.attributes["initiatedEventId"] == asked.event_id
            ):
                return str(event.attributes["workflowExecution"]["runId"])
        return ""


def paths(shop: Shop, workflow_type: str, *, children: bool) -> dict[int, list[Segment]]:
    runs = shop.raw.runs
    keys = runs[(runs["workflow_type"] == workflow_type) & runs["close"].notna()]["run_key"]
    known = by_run_id(shop) if children else None
    return {key: Walk(shop.raw.histories[key], known).path() for key in keys}


def by_run_id(shop: Shop) -> dict[str, list[Event]]:
    runs = shop.raw.runs
    return {run_id: shop.raw.histories[key] for key, run_id in zip(runs["run_key"], runs["run_id"], strict=True)}


@pytest.mark.parametrize(
    ("workflow_type", "children"),
    [
        ("OrderWorkflow", True),
        ("DailyReport", True),
        ("DailyReport", False),
        ("ImportFile", True),
        ("TrainModel", True),
        ("Subscription", True),
    ],
)
def test_the_path_of_a_type_is_the_sum_of_those_of_its_runs(shop: Shop, workflow_type: str, children: bool) -> None:
    walked = paths(shop, workflow_type, children=children)
    sums: dict[tuple[str, str, str], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for key, path in walked.items():
        for segment in path:
            sums[segment.of, segment.kind, segment.name][key].append(segment.ended - segment.began)
    found = stats.critical_path_of_type(shop.explorer, workflow_type, children=children).frame
    rows = {(row["workflow_type"], row["kind"], row["name"]): row for row in found.to_dict("records")}
    assert set(rows) == set(sums)
    total = sum(sum(each) for of in sums.values() for each in of.values())
    for name, of in sums.items():
        row = rows[name]
        assert row["runs"] == len(of)
        assert row["times_per_run"] == pytest.approx(sum(map(len, of.values())) / len(of))
        assert row["mean_s"] == pytest.approx(sum(map(sum, of.values())) / len(walked) / 1e6)
        assert row["max_s"] == pytest.approx(max(map(sum, of.values())) / 1e6)
        assert row["share"] == pytest.approx(sum(map(sum, of.values())) / total)


def test_the_steps_of_a_run_follow_one_another_and_add_up_to_its_duration(shop: Shop) -> None:
    runs = shop.raw.runs
    for kind in ("OrderWorkflow", "DailyReport", "TrainModel", "ShipmentWorkflow"):
        of_kind = runs[(runs["workflow_type"] == kind) & runs["close"].notna()]
        for status in of_kind["status"].unique():
            run = of_kind[of_kind["status"] == status].iloc[-1]
            frame = stats.critical_path(shop.explorer, run["workflow_id"], run_id=run["run_id"]).frame
            expected = Walk(shop.raw.histories[run["run_key"]], by_run_id(shop)).path()
            assert list(zip(frame["kind"], frame["name"], strict=True)) == [(s.kind, s.name) for s in expected]
            assert frame["duration_s"].sum() == pytest.approx((run["close"] - run["start"]) / 1e6)
            assert (frame["began_at"].iloc[1:].reset_index(drop=True) == frame["ended_at"].iloc[:-1]).all()
            assert frame["share"].sum() == pytest.approx(1.0)


def test_the_path_leads_through_the_children_that_were_waited_for(shop: Shop) -> None:
    walked = paths(shop, "DailyReport", children=True)
    key, expected = next((key, path) for key, path in walked.items() if any(s.kind == "Child end" for s in path))
    run = shop.raw.runs.set_index("run_key").loc[key]
    frame = stats.critical_path(shop.explorer, run["workflow_id"], run_id=run["run_id"]).frame
    found = zip(frame["workflow_type"], frame["kind"], frame["name"], us(frame["began_at"]), strict=True)
    assert list(found) == [(s.of, s.kind, s.name, s.began) for s in expected]
    assert set(frame["level"]) == {0, 1}
    assert (frame["level"] == 0).tolist() == [s.of == "DailyReport" for s in expected]
    assert frame["duration_s"].sum() == pytest.approx((run["close"] - run["start"]) / 1e6)
    alone = stats.critical_path(shop.explorer, run["workflow_id"], run_id=run["run_id"], children=False).frame
    assert "Child" in set(alone["kind"])
    assert set(alone["level"]) == {0}
    assert alone["duration_s"].sum() == pytest.approx(frame["duration_s"].sum())


def test_an_activity_on_the_path_is_split(shop: Shop) -> None:
    acts: Any = shop.raw.activities
    chosen = acts[
        (acts["activity_type"] == "charge_card") & (acts["backoff"] > 0) & (acts["status"] == "Completed")
    ].iloc[0]
    frame = stats.critical_path(shop.explorer, chosen["workflow_id"]).frame
    row = frame[frame["name"] == "charge_card"].iloc[0]
    assert row["run_s"] == pytest.approx(chosen["run"] / 1e6)
    assert row["backoff_s"] == pytest.approx(chosen["backoff"] / 1e6)
    assert row["queue_s"] + row["run_s"] + row["backoff_s"] == pytest.approx(row["duration_s"])


def test_an_open_run_has_a_path_so_far_and_an_unknown_one_is_said(shop: Shop) -> None:
    runs = shop.raw.runs
    run = runs[(runs["status"] == "Running") & (runs["workflow_type"] == "OrderWorkflow")].iloc[0]
    frame = stats.critical_path(shop.explorer, run["workflow_id"]).frame
    assert frame["kind"].iloc[0] == "Start"
    with pytest.raises(QueryError, match="no workflow 'order-x'"):
        stats.critical_path(shop.explorer, "order-x")
